CREATE OR REPLACE FUNCTION maintenance.metrics()
RETURNS TABLE (
    name text,
    labels jsonb,
    value double precision
)
LANGUAGE sql
STABLE
-- DEFINER: it counts over all customers for a login that may read none of them.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        'drift_runs',
        jsonb_build_object('status', s.status),
        count(r.id)::double precision
    FROM unnest(ARRAY['queued', 'running', 'completed', 'failed']) AS s (status)
    LEFT JOIN public.drift_run AS r
        ON r.status = s.status AND r.requested_at > now() - interval '1 day'
    GROUP BY s.status

    UNION ALL

    -- One look into an index for each customer. Who never had a run waits since it was added.
    SELECT
        'drift_run_age_hours',
        '{}',
        coalesce(
            max(extract(EPOCH FROM now() - coalesce(r.finished_at, c.created_at)) / 3600), 0
        )::double precision
    FROM public.customer AS c
    LEFT JOIN LATERAL (
        SELECT d.finished_at
        FROM public.drift_run AS d
        WHERE d.customer_id = c.id AND d.status = 'completed'
        ORDER BY d.as_of DESC, d.id DESC
        LIMIT 1
    ) AS r ON true
    WHERE c.status = 'active'

    UNION ALL

    SELECT
        'alerts',
        jsonb_build_object('level', l.level, 'status', s.status),
        count(a.id)::double precision
    FROM unnest(ARRAY['info', 'warning', 'critical']) AS l (level)
    CROSS JOIN unnest(ARRAY['open', 'acknowledged']) AS s (status)
    LEFT JOIN public.alert AS a
        ON
            a.level = l.level
            AND a.status = s.status
            AND a.status IN ('open', 'acknowledged')
    GROUP BY l.level, s.status

    UNION ALL

    SELECT
        'uploads_waiting',
        '{}',
        count(*)::double precision
    FROM public.upload AS u
    WHERE u.status = 'received'

    UNION ALL

    SELECT
        'jobs',
        jsonb_build_object('queue', j.queue_name, 'status', j.status),
        count(*)::double precision
    FROM public.procrastinate_jobs AS j
    WHERE j.status IN ('todo', 'doing')
    GROUP BY j.queue_name, j.status

    UNION ALL

    SELECT
        'jobs',
        jsonb_build_object('queue', j.queue_name, 'status', 'failed'),
        count(*)::double precision
    FROM public.procrastinate_jobs AS j
    WHERE j.status = 'failed'
    GROUP BY j.queue_name

    UNION ALL

    -- Ids follow time, so the job that waits longest is the one with the lowest id, or one whose
    -- scheduled time is longest past.
    SELECT
        'oldest_job_seconds',
        '{}',
        coalesce(max(extract(EPOCH FROM now() - w.since)), 0)::double precision
    FROM (
        SELECT (
            SELECT min(e.at)
            FROM public.procrastinate_events AS e
            WHERE e.job_id = o.id
        ) AS since
        FROM (
            SELECT j.id
            FROM public.procrastinate_jobs AS j
            WHERE j.status = 'todo' AND j.scheduled_at IS NULL
            ORDER BY j.id
            LIMIT 1
        ) AS o

        UNION ALL

        SELECT min(j.scheduled_at)
        FROM public.procrastinate_jobs AS j
        WHERE j.status = 'todo' AND j.scheduled_at <= now()
    ) AS w

    UNION ALL

    SELECT
        'webhook_deliveries_pending',
        '{}',
        count(*)::double precision
    FROM public.webhook_delivery AS d
    WHERE d.status = 'pending'

    UNION ALL

    -- Those of a paused endpoint wait on purpose.
    SELECT
        'webhook_oldest_due_seconds',
        '{}',
        coalesce(extract(EPOCH FROM now() - min(d.next_attempt_at)), 0)::double precision
    FROM public.webhook_delivery AS d
    JOIN public.webhook_endpoint AS w
        ON w.customer_id = d.customer_id AND w.id = d.endpoint_id AND w.status = 'active'
    WHERE d.status = 'pending' AND d.next_attempt_at <= now()

    UNION ALL

    SELECT
        'webhook_endpoints',
        jsonb_build_object('status', s.status),
        count(w.id)::double precision
    FROM unnest(ARRAY['active', 'paused', 'disabled']) AS s (status)
    LEFT JOIN public.webhook_endpoint AS w ON w.status = s.status
    GROUP BY s.status

    UNION ALL

    SELECT
        'workers',
        '{}',
        count(*)::double precision
    FROM public.procrastinate_workers AS w
    WHERE w.last_heartbeat > now() - interval '30 seconds';
$function$;

COMMENT ON FUNCTION maintenance.metrics() IS
'What /metrics shows of the database, over all customers and naming none: drift_runs requested within a day by status, drift_run_age_hours (of the active customer that waits longest for a completed run), live alerts by level and status, uploads_waiting, jobs by queue and status (waiting, running, failed), oldest_job_seconds (of those that are due), webhook_deliveries_pending, webhook_oldest_due_seconds (at active endpoints), webhook_endpoints by status, workers alive. Reads indexes and what is live, never claims.';

REVOKE ALL ON FUNCTION maintenance.metrics() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.metrics() TO claimdrift_web, claimdrift_platform;
