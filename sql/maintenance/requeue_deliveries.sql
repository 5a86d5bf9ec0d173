CREATE OR REPLACE FUNCTION maintenance.requeue_deliveries()
RETURNS int
LANGUAGE plpgsql
VOLATILE
-- DEFINER: deliveries are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_now CONSTANT timestamp with time zone := clock_timestamp();
    v_customer_id bigint;
    v_queued int := 0;
BEGIN
    FOR v_customer_id IN
        SELECT DISTINCT d.customer_id
        FROM public.webhook_delivery AS d
        LEFT JOIN public.procrastinate_jobs AS j
            ON j.id = d.job_id AND j.status IN ('todo', 'doing')
        WHERE
            d.status = 'pending'
            AND d.next_attempt_at <= v_now
            AND j.id IS NULL
            AND (d.leased_until IS NULL OR d.leased_until <= v_now)
        ORDER BY d.customer_id
    LOOP
        PERFORM webhooks.lock_customer(v_customer_id);
        PERFORM webhooks.end_lost((
            SELECT array_agg(d.id ORDER BY d.id)
            FROM public.webhook_delivery AS d
            WHERE d.customer_id = v_customer_id AND d.leased_until <= v_now
        ));
        -- What was under way when its endpoint was disabled, or written just then.
        PERFORM webhooks.cancel_waiting(
            p_customer_id => v_customer_id,
            p_endpoint_ids => (
                SELECT array_agg(w.id ORDER BY w.id)
                FROM public.webhook_endpoint AS w
                WHERE w.customer_id = v_customer_id AND w.status = 'disabled'
            ),
            p_reason => 'the endpoint is disabled'
        );
        -- A job may have failed, been cancelled or deleted, by whomever.
        UPDATE public.webhook_delivery AS d
        SET job_id = NULL
        WHERE
            d.customer_id = v_customer_id
            AND d.status = 'pending'
            AND d.next_attempt_at <= v_now
            AND d.job_id IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM public.procrastinate_jobs AS j
                WHERE j.id = d.job_id AND j.status IN ('todo', 'doing')
            );
        v_queued := v_queued + webhooks.queue_due(p_customer_id => v_customer_id);
    END LOOP;
    RETURN v_queued;
END;
$function$;

COMMENT ON FUNCTION maintenance.requeue_deliveries() IS
'The sweep over webhooks: ends attempts whose worker was lost, and queues what is due and has no job, be it a retry that was hours away, one that waited for room or for an endpoint to come back, or one whose job is gone. Returns how many jobs it queued. Safe at any time, any number at once; the worker calls it every minute. Raises PD001 unless READ COMMITTED.';

REVOKE ALL ON FUNCTION maintenance.requeue_deliveries() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.requeue_deliveries() TO claimdrift_platform;
