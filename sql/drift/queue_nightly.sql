CREATE OR REPLACE FUNCTION drift.queue_nightly()
RETURNS int
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runs are written by stored functions only. procrastinate's functions name its tables
-- without a schema, hence public.
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_now timestamp with time zone;
    v_queued int;
BEGIN
    -- Another one's runs may be carried out, and so no longer conflict, before this one's snapshot
    -- is used: after the lock there is a new one.
    PERFORM tenancy.take_lock(p_customer_id => 0, p_name => 'claimdrift.nightly');
    v_now := clock_timestamp();

    WITH tonight AS MATERIALIZED (
        SELECT
            c.id AS customer_id,
            (v_now AT TIME ZONE c.time_zone)::date AS today
        FROM public.customer AS c
        WHERE c.status = 'active' AND drift.is_night(c.time_zone, v_now)
    ),

    queued AS (
        INSERT INTO public.drift_run AS r (
            customer_id, as_of, trigger, status, requested_at, started_at
        )
        SELECT
            t.customer_id,
            t.today,
            'nightly',
            'queued',
            v_now,
            v_now
        FROM tonight AS t
        WHERE NOT EXISTS (
            SELECT FROM public.drift_run AS former
            WHERE
                former.customer_id = t.customer_id
                AND former.as_of = t.today
                AND former.trigger = 'nightly'
        )
        ORDER BY t.customer_id
        -- Somebody asked for the same day and that run is still waiting: next time.
        ON CONFLICT (customer_id, as_of) WHERE status = 'queued' DO NOTHING
        RETURNING r.customer_id, r.id
    )

    SELECT coalesce(cardinality(procrastinate_defer_jobs_v1(array_agg(
        ROW(
            'detection',
            'core.tasks.run_requested',
            0,
            NULL,
            format('run:%s', q.id),
            jsonb_build_object('customer_id', q.customer_id, 'run_id', q.id),
            NULL
        )::procrastinate_job_to_defer_v1
        ORDER BY q.id
    ))), 0)
    INTO STRICT v_queued
    FROM queued AS q;
    RETURN v_queued;
END;
$function$;

COMMENT ON FUNCTION drift.queue_nightly() IS
'Queues a run with trigger nightly, as of its local today, for every active customer whose clocks show 02:00 to 06:00 and that has none yet, whatever became of it. Returns how many. Call it every few minutes, by as many workers as there are: each day has one. Raises PD001 unless READ COMMITTED.';

REVOKE ALL ON FUNCTION drift.queue_nightly() FROM public;
GRANT EXECUTE ON FUNCTION drift.queue_nightly() TO claimdrift_platform;
