CREATE OR REPLACE FUNCTION webhooks.cancel_waiting(
    p_customer_id bigint,
    p_endpoint_ids bigint[],
    p_reason text
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_cancelled int;
BEGIN
    UPDATE public.webhook_delivery AS d
    SET
        status = 'cancelled',
        next_attempt_at = NULL,
        job_id = NULL,
        last_error = p_reason,
        finished_at = clock_timestamp()
    WHERE d.id IN (
        SELECT waiting.id
        FROM public.webhook_delivery AS waiting
        WHERE
            waiting.customer_id = p_customer_id
            AND waiting.endpoint_id = ANY(p_endpoint_ids)
            AND waiting.status = 'pending'
            -- What is under way ends by itself, and may well succeed.
            AND waiting.leased_until IS NULL
        ORDER BY waiting.id
        FOR NO KEY UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS v_cancelled = ROW_COUNT;
    RETURN v_cancelled;
END;
$function$;

COMMENT ON FUNCTION webhooks.cancel_waiting(bigint, bigint[], text) IS
'Cancels what waits for these endpoints of a customer, but for attempts that are under way. Returns how many. webhooks.recover brings them back.';

REVOKE ALL ON FUNCTION webhooks.cancel_waiting(bigint, bigint[], text) FROM public;
