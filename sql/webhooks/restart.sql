CREATE OR REPLACE FUNCTION webhooks.restart(
    p_delivery_ids bigint[]
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_restarted bigint[];
BEGIN
    WITH restarted AS (
        UPDATE public.webhook_delivery AS d
        SET
            status = 'pending',
            failures = 0,
            next_attempt_at = clock_timestamp(),
            job_id = NULL,
            finished_at = NULL
        -- What is under way is being sent as it is.
        WHERE d.id = ANY(p_delivery_ids) AND d.leased_until IS NULL
        RETURNING d.id
    )

    SELECT array_agg(r.id ORDER BY r.id)
    INTO STRICT v_restarted
    FROM restarted AS r;
    PERFORM webhooks.queue(v_restarted);
    RETURN coalesce(cardinality(v_restarted), 0);
END;
$function$;

COMMENT ON FUNCTION webhooks.restart(bigint[]) IS
'Makes deliveries due at once, from the start of the schedule, whatever became of them; but for those with an attempt under way. Returns how many.';

REVOKE ALL ON FUNCTION webhooks.restart(bigint[]) FROM public;
