CREATE OR REPLACE FUNCTION webhooks.note_success(
    p_customer_id bigint,
    p_endpoint_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_endpoint_id bigint;
BEGIN
    SELECT w.id
    INTO v_endpoint_id
    FROM public.webhook_endpoint AS w
    WHERE
        w.customer_id = p_customer_id
        AND w.id = p_endpoint_id
        AND (
            w.unavailable_count > 0
            OR w.failing_since IS NOT NULL
            -- Not with each: deliveries would wait for each other's commit.
            OR coalesce(w.last_success_at, '-infinity') < clock_timestamp() - interval '1 minute'
        )
    -- Whoever has the row may be waiting for ours. The next success will do.
    FOR NO KEY UPDATE SKIP LOCKED;
    -- An update of no row would still call the audit trail's trigger.
    IF FOUND THEN
        UPDATE public.webhook_endpoint AS w
        SET
            unavailable_count = 0,
            failing_since = NULL,
            blocked_until = NULL,
            last_success_at = clock_timestamp()
        WHERE w.id = v_endpoint_id;
    END IF;
END;
$function$;

COMMENT ON FUNCTION webhooks.note_success(bigint, bigint) IS
'Notes that an endpoint took a delivery: it is healthy, and its breaker closes. last_success_at is right to a minute.';

REVOKE ALL ON FUNCTION webhooks.note_success(bigint, bigint) FROM public;
