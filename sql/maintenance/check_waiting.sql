CREATE OR REPLACE FUNCTION maintenance.check_waiting()
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
    -- A job goes on until what it is about has ended, even when its worker is killed.
    job AS MATERIALIZED (
        SELECT
            j.task_name,
            (j.args ->> 'upload_id')::bigint AS upload_id,
            (j.args ->> 'run_id')::bigint AS run_id
        FROM public.procrastinate_jobs AS j
        WHERE
            j.status IN ('todo', 'doing')
            AND j.task_name IN ('core.tasks.load_upload', 'core.tasks.run_requested')
    )

    SELECT
        'upload_forgotten',
        u.customer_id,
        u.id,
        format('waits since %s, and no job is there to load it', u.queued_at)
    FROM public.upload AS u
    WHERE
        u.status = 'received'
        AND u.queued_at IS NOT NULL
        AND u.id NOT IN (SELECT j.upload_id FROM job AS j WHERE j.upload_id IS NOT NULL)

    UNION ALL
    SELECT
        'upload_chunks',
        c.customer_id,
        c.upload_id,
        format('is %s, and still has %s chunks', u.status, count(*))
    FROM public.upload_chunk AS c
    JOIN public.upload AS u ON u.customer_id = c.customer_id AND u.id = c.upload_id
    WHERE u.status <> 'received'
    GROUP BY c.customer_id, c.upload_id, u.status

    UNION ALL
    SELECT
        'run_forgotten',
        r.customer_id,
        r.id,
        format('is %s since %s, and no job is there for it', r.status, r.requested_at)
    FROM public.drift_run AS r
    WHERE
        r.status IN ('queued', 'running')
        AND r.id NOT IN (SELECT j.run_id FROM job AS j WHERE j.run_id IS NOT NULL);
$function$;

COMMENT ON FUNCTION maintenance.check_waiting() IS
'What waits for the worker: upload_forgotten and run_forgotten (waiting, while no job is there for it; ingest.fail_upload and drift.fail_run end it), upload_chunks (a finished upload whose bytes are still there). object_id is the upload or the run. Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_waiting() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_waiting() TO claimdrift_platform;
