CREATE OR REPLACE FUNCTION webhooks.rotate_secret(
    p_customer_id bigint,
    p_endpoint_id bigint,
    p_ciphertext bytea,
    p_key_id text,
    p_overlap interval DEFAULT '24 hours'
)
RETURNS timestamp with time zone
LANGUAGE plpgsql
VOLATILE
-- DEFINER: secrets are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_until timestamp with time zone;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    PERFORM webhooks.find_endpoint(
        p_customer_id => p_customer_id, p_endpoint_id => p_endpoint_id
    );
    v_until := clock_timestamp() + least(greatest(p_overlap, interval '0'), interval '7 days');

    -- Each secret is another signature in the header: two in use are enough.
    DELETE FROM public.webhook_secret AS s
    WHERE
        s.customer_id = p_customer_id
        AND s.endpoint_id = p_endpoint_id
        AND s.expires_at IS NOT NULL;
    UPDATE public.webhook_secret AS s
    SET expires_at = v_until
    WHERE s.customer_id = p_customer_id AND s.endpoint_id = p_endpoint_id;
    INSERT INTO public.webhook_secret (customer_id, endpoint_id, ciphertext, key_id)
    VALUES (p_customer_id, p_endpoint_id, p_ciphertext, p_key_id);
    RETURN v_until;
END;
$function$;

COMMENT ON FUNCTION webhooks.rotate_secret(bigint, bigint, bytea, text, interval) IS
'Gives an endpoint a new secret; the one before signs as well for p_overlap (0 to 7 days), and one from before that not any more. Returns until when the former one is in use. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD016 for an unknown endpoint.';

REVOKE ALL ON FUNCTION webhooks.rotate_secret(bigint, bigint, bytea, text, interval) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.rotate_secret(bigint, bigint, bytea, text, interval)
TO claimdrift_tenant, claimdrift_platform;
