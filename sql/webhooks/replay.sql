CREATE OR REPLACE FUNCTION webhooks.replay(
    p_customer_id bigint,
    p_delivery_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: deliveries are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_endpoint_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    SELECT d.endpoint_id
    INTO v_endpoint_id
    FROM public.webhook_delivery AS d
    WHERE d.customer_id = p_customer_id AND d.id = p_delivery_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown webhook delivery'
            USING
                ERRCODE = 'PD016',
                DETAIL = format('The customer has no webhook delivery %s.', p_delivery_id),
                HINT = 'Look the id up in webhook_delivery.';
    END IF;
    PERFORM webhooks.check_sendable(
        p_endpoint => webhooks.find_endpoint(
            p_customer_id => p_customer_id, p_endpoint_id => v_endpoint_id
        ),
        p_statuses => '{active,paused}'
    );
    PERFORM webhooks.restart(ARRAY[p_delivery_id]);
END;
$function$;

COMMENT ON FUNCTION webhooks.replay(bigint, bigint) IS
'Sends a delivery again, whatever became of it, under the same webhook-id and from the start of the schedule; one that waits is sent at once, one that is under way is left alone. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer, PD016 for an unknown delivery, PD017 where the endpoint is disabled.';

REVOKE ALL ON FUNCTION webhooks.replay(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.replay(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
