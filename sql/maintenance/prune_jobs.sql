CREATE OR REPLACE FUNCTION maintenance.prune_jobs(
    p_before timestamp with time zone,
    p_batch int
)
RETURNS TABLE (
    table_name text,
    rows_deleted bigint
)
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_events bigint;
    v_jobs bigint;
BEGIN
    -- A job's age is that of its last event: the older ones go first, and it goes after them.
    DELETE FROM public.procrastinate_events AS e
    WHERE e.id IN (
        SELECT older.id
        FROM public.procrastinate_events AS older
        JOIN public.procrastinate_jobs AS j ON j.id = older.job_id
        WHERE
            j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
            AND older.at < p_before
            AND NOT EXISTS (
                SELECT FROM public.procrastinate_events AS later
                WHERE later.job_id = j.id AND later.at >= p_before
            )
        ORDER BY older.id
        LIMIT p_batch
    );
    GET DIAGNOSTICS v_events = ROW_COUNT;

    DELETE FROM public.procrastinate_jobs AS j
    WHERE j.id IN (
        SELECT finished.id
        FROM public.procrastinate_jobs AS finished
        WHERE
            finished.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
            AND NOT EXISTS (
                SELECT FROM public.procrastinate_events AS e WHERE e.job_id = finished.id
            )
        ORDER BY finished.id
        LIMIT p_batch
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS v_jobs = ROW_COUNT;

    RETURN QUERY
    VALUES
        ('procrastinate_events', v_events),
        ('procrastinate_jobs', v_jobs);
END;
$function$;

COMMENT ON FUNCTION maintenance.prune_jobs(timestamp with time zone, int) IS
'Deletes jobs that finished before a time, and their events: at most p_batch rows of each table. Part of maintenance.prune, whose search_path procrastinate''s triggers need.';

REVOKE ALL ON FUNCTION maintenance.prune_jobs(timestamp with time zone, int) FROM public;
