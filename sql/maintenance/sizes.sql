CREATE OR REPLACE FUNCTION maintenance.sizes()
RETURNS TABLE (
    table_name text,
    rows_estimate bigint,
    dead_rows bigint,
    table_bytes bigint,
    index_bytes bigint,
    toast_bytes bigint,
    total_bytes bigint,
    total text,
    last_vacuum timestamp with time zone,
    last_analyze timestamp with time zone
)
LANGUAGE sql
STABLE
AS $function$
    SELECT
        c.relname::text,
        -- -1 until the first vacuum or analyze.
        greatest(c.reltuples, s.n_live_tup, 0)::bigint,
        s.n_dead_tup,
        b.heap,
        pg_catalog.pg_indexes_size(c.oid),
        b.total - b.heap - pg_catalog.pg_indexes_size(c.oid),
        b.total,
        pg_catalog.pg_size_pretty(b.total),
        greatest(s.last_vacuum, s.last_autovacuum),
        greatest(s.last_analyze, s.last_autoanalyze)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_stat_all_tables AS s ON s.relid = c.oid
    CROSS JOIN LATERAL (
        SELECT
            pg_catalog.pg_relation_size(c.oid)
            + pg_catalog.pg_relation_size(c.oid, 'fsm')
            + pg_catalog.pg_relation_size(c.oid, 'vm') AS heap,
            pg_catalog.pg_total_relation_size(c.oid) AS total
    ) AS b
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    ORDER BY b.total DESC, c.relname;
$function$;

COMMENT ON FUNCTION maintenance.sizes() IS
'How large each table is, the largest first: estimated and dead rows, bytes of the table, its indexes and its TOAST table, the total (readable, too), and when it was last vacuumed and analysed, by hand or by autovacuum.';

REVOKE ALL ON FUNCTION maintenance.sizes() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.sizes() TO claimdrift_platform;
