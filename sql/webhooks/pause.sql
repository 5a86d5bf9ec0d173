CREATE OR REPLACE FUNCTION webhooks.pause(
    p_customer_id bigint,
    p_endpoint_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: an endpoint's status is written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    PERFORM webhooks.find_endpoint(
        p_customer_id => p_customer_id, p_endpoint_id => p_endpoint_id
    );
    UPDATE public.webhook_endpoint AS w
    SET status = 'paused', status_reason = '', status_at = clock_timestamp()
    WHERE w.customer_id = p_customer_id AND w.id = p_endpoint_id AND w.status = 'active';
END;
$function$;

COMMENT ON FUNCTION webhooks.pause(bigint, bigint) IS
'Holds back what is sent to an endpoint: deliveries wait, new ones too, and none is lost. A disabled one stays disabled. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD016 for an unknown endpoint.';

REVOKE ALL ON FUNCTION webhooks.pause(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.pause(bigint, bigint) TO claimdrift_tenant, claimdrift_platform;
