CREATE OR REPLACE FUNCTION webhooks.create_endpoint(
    p_customer_id bigint,
    p_url text,
    p_description text,
    p_event_types text[],
    p_max_in_flight int,
    p_ciphertext bytea,
    p_key_id text
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: secrets are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_endpoint_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    IF (
        SELECT count(*) FROM public.webhook_endpoint AS w WHERE w.customer_id = p_customer_id
    ) >= 50 THEN
        RAISE EXCEPTION 'too many webhook endpoints'
            USING
                ERRCODE = 'PD018',
                DETAIL = 'A customer may have 50.',
                HINT = 'Delete one that is not needed any more.';
    END IF;

    INSERT INTO public.webhook_endpoint (
        customer_id, url, description, event_types, max_in_flight
    )
    VALUES (
        p_customer_id,
        p_url,
        coalesce(p_description, ''),
        coalesce(p_event_types, '{}'),
        coalesce(p_max_in_flight, 10)
    )
    RETURNING id INTO STRICT v_endpoint_id;
    INSERT INTO public.webhook_secret (customer_id, endpoint_id, ciphertext, key_id)
    VALUES (p_customer_id, v_endpoint_id, p_ciphertext, p_key_id);
    RETURN v_endpoint_id;
END;
$function$;

COMMENT ON FUNCTION webhooks.create_endpoint(
    bigint, text, text, text[], int, bytea, text
) IS
'Adds an endpoint with its first secret and returns its id. p_event_types empty or NULL: all; p_max_in_flight NULL: 10; p_ciphertext is the secret as encrypted under the key p_key_id of the settings. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer, PD018 where it has 50.';

REVOKE ALL ON FUNCTION webhooks.create_endpoint(
    bigint, text, text, text[], int, bytea, text
)
FROM public;
GRANT EXECUTE ON FUNCTION webhooks.create_endpoint(
    bigint, text, text, text[], int, bytea, text
)
TO claimdrift_tenant, claimdrift_platform;
