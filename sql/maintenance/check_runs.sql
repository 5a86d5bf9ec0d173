CREATE OR REPLACE FUNCTION maintenance.check_runs()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE sql
STABLE
AS $function$
    WITH
    -- What the latest run of a day says of the measurements that all runs of the day share.
    latest AS MATERIALIZED (
        SELECT DISTINCT ON (r.customer_id, run_id)
            r.customer_id,
            coalesce(r.measurement_run_id, r.id) AS run_id,
            r.as_of,
            r.applied,
            r.groups_measured + r.groups_insufficient AS groups
        FROM public.drift_run AS r
        WHERE r.status = 'completed'
        ORDER BY r.customer_id, run_id, r.id DESC
    ),

    newest AS MATERIALIZED (
        SELECT DISTINCT ON (l.customer_id) l.*
        FROM latest AS l
        WHERE l.applied
        ORDER BY l.customer_id, l.as_of DESC
    )

    SELECT
        'run_unfinished',
        r.customer_id,
        r.id,
        format('is %s, finished %s', r.status, coalesce(r.finished_at::text, '(never)'))
    FROM public.drift_run AS r
    WHERE (r.status IN ('queued', 'running')) <> (r.finished_at IS NULL)

    UNION ALL
    SELECT
        'run_shared',
        r.customer_id,
        r.id,
        format(
            'as of %s shares the measurements of run %s as of %s, which is %s',
            r.as_of, m.id, m.as_of, m.status
        )
    FROM public.drift_run AS r
    JOIN public.drift_run AS m ON m.customer_id = r.customer_id AND m.id = r.measurement_run_id
    WHERE m.as_of <> r.as_of OR m.measurement_run_id IS NOT NULL OR m.status <> 'completed'

    UNION ALL
    -- Of the newest applied day, maintenance.prune leaves everything.
    SELECT
        'run_measurements',
        n.customer_id,
        n.run_id,
        format('measured %s groups, of which %s are there', n.groups, m.groups)
    FROM newest AS n
    CROSS JOIN LATERAL (
        SELECT count(*) AS groups
        FROM public.drift_measurement AS d
        WHERE d.customer_id = n.customer_id AND d.run_id = n.run_id
    ) AS m
    WHERE m.groups <> n.groups

    UNION ALL
    SELECT
        'event_missing',
        m.customer_id,
        m.id,
        format('measurement of run %s drifted %s, without an event', m.run_id, m.direction)
    FROM newest AS n
    JOIN public.drift_measurement AS m ON m.customer_id = n.customer_id AND m.run_id = n.run_id
    WHERE
        m.drifted
        AND NOT EXISTS (
            SELECT FROM public.drift_event AS e
            WHERE
                e.customer_id = m.customer_id
                AND e.payer_id = m.payer_id
                AND e.cpt_group_id IS NOT DISTINCT FROM m.cpt_group_id
                AND e.metric = m.metric
                AND e.direction = m.direction
                AND e.current_end = m.current_end
                AND NOT e.withdrawn
        )

    UNION ALL
    SELECT
        'event_run',
        e.customer_id,
        e.id,
        format('ends on %s, its run %s is as of %s', e.current_end, r.id, r.as_of)
    FROM public.drift_event AS e
    JOIN public.drift_run AS r ON r.customer_id = e.customer_id AND r.id = e.run_id
    WHERE r.as_of <> e.current_end + 1

    UNION ALL
    -- Two ways to lose the measurement are right: it was pruned, or the day was measured anew when
    -- it wasn't the newest any more.
    SELECT
        'event_unmeasured',
        e.customer_id,
        e.id,
        format('isn''t withdrawn, and run %s measured no such drift', e.run_id)
    FROM public.drift_event AS e
    JOIN latest AS l ON l.customer_id = e.customer_id AND l.run_id = e.run_id
    WHERE
        NOT e.withdrawn
        AND l.applied
        AND NOT EXISTS (
            SELECT FROM public.drift_measurement AS m
            WHERE
                m.customer_id = e.customer_id
                AND m.run_id = e.run_id
                AND m.payer_id = e.payer_id
                AND m.cpt_group_id IS NOT DISTINCT FROM e.cpt_group_id
                AND m.metric = e.metric
                AND m.direction = e.direction
                AND m.drifted
        )
        AND l.groups = (
            SELECT count(*)
            FROM public.drift_measurement AS m
            WHERE m.customer_id = e.customer_id AND m.run_id = e.run_id
        );
$function$;

COMMENT ON FUNCTION maintenance.check_runs() IS
'Whether runs, measurements and events belong together: run_unfinished (finished without the time at which it was, or the other way round), run_shared (shares the measurements of another day, or of a run that has none), run_measurements (the newest applied run lost some), event_missing (it measured drift, and there is no event), event_run (an event whose run is of another day), event_unmeasured (an event that stands without its measurement). object_id is the run, the measurement or the event. Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_runs() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_runs() TO claimdrift_platform;
