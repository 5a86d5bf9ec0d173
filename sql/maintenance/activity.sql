CREATE OR REPLACE FUNCTION maintenance.activity()
RETURNS TABLE (
    pid int,
    login text,
    application_name text,
    state text,
    wait_event text,
    since interval,
    blocked_by int[],
    holds text[],
    waits_for text,
    statement text,
    query_id bigint,
    hidden boolean
)
LANGUAGE sql
VOLATILE
AS $function$
    WITH
    -- Locks are for everybody to see, also where pg_stat_activity shows nothing.
    lock AS MATERIALIZED (
        SELECT
            l.*,
            -- How pg_advisory_xact_lock(bigint) splits its key.
            CASE
                WHEN l.locktype = 'advisory' AND l.objsubid = 1
                    THEN (l.classid::bigint << 32) | l.objid::bigint
            END AS key
        FROM pg_catalog.pg_locks AS l
        WHERE l.pid <> pg_backend_pid()
    ),

    customer_lock AS (
        SELECT
            l.pid,
            l.granted,
            format('%s of customer %s', kind.name, c.id) AS name
        FROM public.customer AS c
        CROSS JOIN (VALUES ('drift'), ('ingest'), ('webhooks')) AS kind (name)
        JOIN lock AS l ON l.key = hashtextextended('claimdrift.' || kind.name, c.id)
        JOIN pg_catalog.pg_database AS d ON d.oid = l.database AND d.datname = current_database()
    ),

    backend AS (
        SELECT
            a.*,
            coalesce(a.query = '<insufficient privilege>', false) AS is_hidden,
            EXISTS (SELECT FROM lock AS l WHERE l.pid = a.pid) AS has_locks,
            EXISTS (SELECT FROM lock AS l WHERE l.pid = a.pid AND NOT l.granted) AS waits,
            (SELECT min(l.waitstart) FROM lock AS l WHERE l.pid = a.pid AND NOT l.granted)
                AS waits_since
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    )

    SELECT
        b.pid,
        b.usename::text,
        b.application_name,
        b.state,
        concat_ws(': ', b.wait_event_type, b.wait_event),
        clock_timestamp() - coalesce(b.waits_since, b.state_change),
        CASE WHEN b.waits THEN pg_catalog.pg_blocking_pids(b.pid) ELSE '{}' END,
        ARRAY(SELECT l.name FROM customer_lock AS l WHERE l.pid = b.pid AND l.granted ORDER BY 1),
        (SELECT min(l.name) FROM customer_lock AS l WHERE l.pid = b.pid AND NOT l.granted),
        concat_ws(
            ' ',
            command.word,
            (
                SELECT string_agg(DISTINCT called[1], ', ' ORDER BY called[1])
                FROM regexp_matches(b.query, '\m([a-z]+\.[a-z_0-9]+)\s*\(', 'g') AS called
                WHERE EXISTS (
                    SELECT FROM pg_catalog.pg_proc AS f
                    JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
                    WHERE n.nspname || '.' || f.proname = called[1]
                )
            )
        ),
        b.query_id,
        b.is_hidden
    FROM backend AS b
    -- A statement holds its values, which may be a patient's: only words of a fixed list, and
    -- names of functions that exist, are shown of it.
    CROSS JOIN LATERAL (
        SELECT
            (
                SELECT word
                FROM unnest(
                    ARRAY[
                        'ALTER', 'ANALYZE', 'BEGIN', 'CALL', 'COMMIT', 'COPY', 'CREATE', 'DELETE',
                        'DO', 'DROP', 'EXECUTE', 'EXPLAIN', 'FETCH', 'GRANT', 'INSERT', 'LISTEN',
                        'LOCK', 'MERGE', 'NOTIFY', 'REFRESH', 'REINDEX', 'REVOKE', 'ROLLBACK',
                        'SAVEPOINT', 'SELECT', 'SET', 'SHOW', 'START', 'TRUNCATE', 'UPDATE',
                        'VACUUM', 'WITH'
                    ]
                ) AS word
                WHERE upper(substring(b.query FROM '^\s*(\w+)')) = word
            ) AS word
    ) AS command
    WHERE b.waits OR CASE WHEN b.is_hidden THEN b.has_locks ELSE b.state <> 'idle' END
    ORDER BY cardinality(pg_catalog.pg_blocking_pids(b.pid)) > 0 DESC, b.pid;
$function$;

COMMENT ON FUNCTION maintenance.activity() IS
'Who waits for whom: one row per session of this database that works, waits or is in a transaction, those that are blocked first. since is how long it has been in its state, or waiting for its lock; blocked_by are pids; holds and waits_for name customers'' locks (drift: detection and alerts, ingest: claims, webhooks: deliveries). Of statements only the command and the functions they call are shown, never a value. PostgreSQL hides state, wait_event, statement and query_id of other logins (hidden is true; such a session is listed while it has locks): GRANT pg_read_all_stats to whoever should see them.';

REVOKE ALL ON FUNCTION maintenance.activity() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.activity() TO claimdrift_platform;
