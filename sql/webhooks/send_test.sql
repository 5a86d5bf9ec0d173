CREATE OR REPLACE FUNCTION webhooks.send_test(
    p_customer_id bigint,
    p_endpoint_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: events and deliveries are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_now timestamp with time zone;
    v_message_id CONSTANT text := webhooks.new_message_id();
    v_event_id bigint;
    v_delivery_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    PERFORM webhooks.check_sendable(
        p_endpoint => webhooks.find_endpoint(
            p_customer_id => p_customer_id, p_endpoint_id => p_endpoint_id
        ),
        p_statuses => '{active}'
    );
    v_now := clock_timestamp();
    INSERT INTO public.webhook_event (
        customer_id, type, payload, occurred_at, message_id, dedup_key
    )
    VALUES (
        p_customer_id,
        'webhook.test',
        webhooks.payload(
            p_type => 'webhook.test',
            p_at => v_now,
            p_data => jsonb_build_object(
                'endpoint_id', p_endpoint_id,
                'link', format('/api/v1/webhook-endpoints/%s', p_endpoint_id)
            )
        ),
        v_now,
        v_message_id,
        'test:' || v_message_id
    )
    RETURNING id INTO STRICT v_event_id;
    INSERT INTO public.webhook_delivery (customer_id, event_id, endpoint_id)
    VALUES (p_customer_id, v_event_id, p_endpoint_id)
    RETURNING id INTO STRICT v_delivery_id;
    PERFORM webhooks.queue(ARRAY[v_delivery_id]);
    RETURN v_delivery_id;
END;
$function$;

COMMENT ON FUNCTION webhooks.send_test(bigint, bigint) IS
'Sends a webhook.test to one endpoint, whatever types it wants, and returns the delivery''s id. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer, PD016 for an unknown endpoint, PD017 for one that is paused or disabled.';

REVOKE ALL ON FUNCTION webhooks.send_test(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.send_test(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
