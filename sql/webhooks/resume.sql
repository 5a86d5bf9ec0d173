CREATE OR REPLACE FUNCTION webhooks.resume(
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
    SET status = 'active',
        status_reason = '',
        status_at = clock_timestamp(),
        unavailable_count = 0,
        failing_since = NULL,
        blocked_until = NULL
    WHERE w.customer_id = p_customer_id AND w.id = p_endpoint_id AND w.status <> 'active';
    PERFORM webhooks.queue_due(p_customer_id => p_customer_id);
END;
$function$;

COMMENT ON FUNCTION webhooks.resume(bigint, bigint) IS
'Makes a paused or disabled endpoint active again, as healthy as a new one, and sends what waited. What was cancelled when it was disabled comes back with webhooks.recover. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD016 for an unknown endpoint.';

REVOKE ALL ON FUNCTION webhooks.resume(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.resume(bigint, bigint) TO claimdrift_tenant, claimdrift_platform;
