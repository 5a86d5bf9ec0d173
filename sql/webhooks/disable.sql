CREATE OR REPLACE FUNCTION webhooks.disable(
    p_customer_id bigint,
    p_endpoint_id bigint,
    p_reason text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_endpoint public.webhook_endpoint;
BEGIN
    UPDATE public.webhook_endpoint AS w
    SET status = 'disabled', status_reason = p_reason, status_at = clock_timestamp()
    WHERE w.customer_id = p_customer_id AND w.id = p_endpoint_id AND w.status <> 'disabled'
    RETURNING w.* INTO v_endpoint;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM webhooks.cancel_waiting(
        p_customer_id => p_customer_id,
        p_endpoint_ids => ARRAY[p_endpoint_id],
        p_reason => 'the endpoint is disabled'
    );
    INSERT INTO public.webhook_event (
        customer_id, type, payload, occurred_at, message_id, dedup_key
    )
    VALUES (
        p_customer_id,
        'endpoint.disabled',
        webhooks.payload(
            p_type => 'endpoint.disabled',
            p_at => v_endpoint.status_at,
            -- Without its URL, which may hold a secret of whoever receives there.
            p_data => jsonb_build_object(
                'endpoint_id', p_endpoint_id,
                'description', v_endpoint.description,
                'reason', p_reason,
                'failing_since', to_char(
                    v_endpoint.failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
                ),
                'link', format('/api/v1/webhook-endpoints/%s', p_endpoint_id)
            )
        ),
        v_endpoint.status_at,
        webhooks.new_message_id(),
        format('endpoint:%s:%s', p_endpoint_id, extract(EPOCH FROM v_endpoint.status_at))
    );
END;
$function$;

COMMENT ON FUNCTION webhooks.disable(bigint, bigint, text) IS
'Disables an endpoint for a reason that its admins read: what waits for it is cancelled, and the customer''s other endpoints are told (endpoint.disabled). The caller holds the customer''s lock.';

REVOKE ALL ON FUNCTION webhooks.disable(bigint, bigint, text) FROM public;
