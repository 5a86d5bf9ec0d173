CREATE OR REPLACE FUNCTION webhooks.end_lost(
    p_delivery_ids bigint[]
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_now CONSTANT timestamp with time zone := clock_timestamp();
    v_ended int;
BEGIN
    WITH lost AS (
        SELECT d.*
        FROM public.webhook_delivery AS d
        WHERE d.id = ANY(p_delivery_ids) AND d.leased_until <= v_now
        ORDER BY d.id
        -- Whoever finishes it just now wasn't lost.
        FOR NO KEY UPDATE SKIP LOCKED
    ),

    noted AS (
        INSERT INTO public.webhook_attempt (
            customer_id, delivery_id, number, started_at, error
        )
        SELECT
            l.customer_id,
            l.id,
            l.attempts,
            l.leased_until - webhooks.lease_length(),
            'Nothing is known of it: its worker ended in the middle.'
        FROM lost AS l
        ORDER BY l.id
        ON CONFLICT (customer_id, delivery_id, number) DO NOTHING
    )

    UPDATE public.webhook_delivery AS d
    SET
        leased_until = NULL,
        job_id = NULL,
        failures = d.failures + 1,
        -- One that takes its worker with it each time must not go on for ever.
        status = CASE WHEN d.failures >= 19 THEN 'failed' ELSE 'pending' END,
        next_attempt_at = CASE WHEN d.failures < 19 THEN d.next_attempt_at END,
        finished_at = CASE WHEN d.failures >= 19 THEN v_now END,
        last_status_code = NULL,
        last_error = 'Nothing is known of the last attempt: its worker ended in the middle.'
    FROM lost AS l
    WHERE d.id = l.id;
    GET DIAGNOSTICS v_ended = ROW_COUNT;
    RETURN v_ended;
END;
$function$;

COMMENT ON FUNCTION webhooks.end_lost(bigint[]) IS
'Ends the attempts at these deliveries whose lease has run out: each is noted as lost and counts as a failure, and the delivery is due again, or failed after 20. Returns how many.';

REVOKE ALL ON FUNCTION webhooks.end_lost(bigint[]) FROM public;
