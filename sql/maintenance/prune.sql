CREATE OR REPLACE FUNCTION maintenance.prune(
    p_keep interval DEFAULT '400 days',
    p_batch int DEFAULT 50000
)
RETURNS TABLE (
    table_name text,
    rows_deleted bigint
)
LANGUAGE plpgsql
VOLATILE
-- DEFINER: measurements and tokens are written by stored functions only. procrastinate's triggers
-- name its tables without a schema, hence public.
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_before CONSTANT timestamp with time zone := clock_timestamp() - p_keep;
    v_measurements bigint;
BEGIN
    PERFORM maintenance.check_batch(p_batch);
    IF p_keep IS NULL OR p_keep < '0' THEN
        RAISE EXCEPTION 'nothing would be kept'
            USING
                ERRCODE = 'PD030',
                DETAIL = format('p_keep is %s.', coalesce(p_keep::text, 'NULL')),
                HINT = 'Pass how long to keep things, 400 days for example.';
    END IF;

    -- No customer's lock is needed: what detection writes are the measurements of runs that are
    -- young, or newest, or being repeated, and for the last it holds row locks, which are skipped.
    WITH
    newest AS MATERIALIZED (
        SELECT
            r.customer_id,
            max(r.as_of) AS as_of
        FROM public.drift_run AS r
        WHERE r.applied
        GROUP BY r.customer_id
    ),

    old AS (
        SELECT
            r.customer_id,
            r.id
        FROM public.drift_run AS r
        LEFT JOIN newest AS n USING (customer_id)
        WHERE
            r.started_at < v_before
            AND r.status = 'completed'
            AND r.measurement_run_id IS NULL
            AND r.as_of IS DISTINCT FROM n.as_of
            AND NOT EXISTS (
                SELECT FROM public.drift_run AS repeated
                WHERE
                    repeated.customer_id = r.customer_id
                    AND repeated.measurement_run_id = r.id
                    AND repeated.started_at >= v_before
            )
    ),

    picked AS MATERIALIZED (
        SELECT m.id
        FROM old AS o
        JOIN public.drift_measurement AS m ON m.customer_id = o.customer_id AND m.run_id = o.id
        ORDER BY o.customer_id, o.id, m.id
        LIMIT p_batch
        FOR UPDATE OF m SKIP LOCKED
    )

    DELETE FROM public.drift_measurement AS m
    USING picked AS p
    WHERE m.id = p.id;
    GET DIAGNOSTICS v_measurements = ROW_COUNT;

    RETURN QUERY
    VALUES ('drift_measurement', v_measurements);
    RETURN QUERY
    SELECT p.*
    FROM maintenance.prune_jobs(
        -- The schedule alone makes some 1,600 a day.
        p_before => clock_timestamp() - least(p_keep, interval '30 days'), p_batch => p_batch
    ) AS p;
    RETURN QUERY
    SELECT p.* FROM maintenance.prune_access(p_batch => p_batch) AS p;
    RETURN QUERY
    SELECT p.*
    FROM maintenance.prune_webhooks(
        p_before => clock_timestamp() - least(p_keep, interval '30 days'), p_batch => p_batch
    ) AS p;
END;
$function$;

COMMENT ON FUNCTION maintenance.prune(interval, int) IS
'Deletes what is older than p_keep and needed by nothing: measurements of drift runs (never those of a customer''s newest applied day), finished jobs and their events (after 30 days already), webhook events with their finished deliveries and attempts (after 30 days already), tokens that expired 30 days ago, counts of attempts to sign in that are a day old. At most p_batch rows of each table per call: call it until all numbers are 0. Runs, drift events, alerts and audit entries stay. Safe beside running detection, for which it never waits. Raises PD030 (negative p_keep, p_batch below 1).';

REVOKE ALL ON FUNCTION maintenance.prune(interval, int) FROM public;
GRANT EXECUTE ON FUNCTION maintenance.prune(interval, int) TO claimdrift_platform;
