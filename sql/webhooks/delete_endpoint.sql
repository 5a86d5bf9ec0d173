CREATE OR REPLACE FUNCTION webhooks.delete_endpoint(
    p_customer_id bigint,
    p_endpoint_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: secrets, deliveries and attempts are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    -- No new delivery can refer to a row that is locked like this.
    PERFORM FROM public.webhook_endpoint AS w
    WHERE w.customer_id = p_customer_id AND w.id = p_endpoint_id
    FOR UPDATE;
    PERFORM webhooks.find_endpoint(
        p_customer_id => p_customer_id, p_endpoint_id => p_endpoint_id
    );
    -- Who is just finishing one adds an attempt to it.
    PERFORM FROM public.webhook_delivery AS d
    WHERE d.customer_id = p_customer_id AND d.endpoint_id = p_endpoint_id
    ORDER BY d.id
    FOR UPDATE;
    DELETE FROM public.webhook_attempt AS a
    USING public.webhook_delivery AS d
    WHERE
        d.customer_id = p_customer_id
        AND d.endpoint_id = p_endpoint_id
        AND a.customer_id = d.customer_id
        AND a.delivery_id = d.id;
    DELETE FROM public.webhook_delivery AS d
    WHERE d.customer_id = p_customer_id AND d.endpoint_id = p_endpoint_id;
    DELETE FROM public.webhook_secret AS s
    WHERE s.customer_id = p_customer_id AND s.endpoint_id = p_endpoint_id;
    DELETE FROM public.webhook_endpoint AS w
    WHERE w.customer_id = p_customer_id AND w.id = p_endpoint_id;
END;
$function$;

COMMENT ON FUNCTION webhooks.delete_endpoint(bigint, bigint) IS
'Deletes an endpoint with its secrets, deliveries and attempts; events stay. An attempt under way finds that it is gone. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD016 for an unknown endpoint.';

REVOKE ALL ON FUNCTION webhooks.delete_endpoint(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.delete_endpoint(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
