CREATE OR REPLACE FUNCTION maintenance.erasure_order()
RETURNS TABLE (
    number bigint,
    table_name text
)
LANGUAGE sql
STABLE
ROWS 20
AS $function$
    WITH RECURSIVE
    refers AS (
        SELECT DISTINCT
            child.relname AS from_table,
            parent.relname AS to_table
        FROM pg_catalog.pg_constraint AS f
        JOIN pg_catalog.pg_class AS child ON child.oid = f.conrelid
        JOIN pg_catalog.pg_class AS parent ON parent.oid = f.confrelid
        WHERE
            f.contype = 'f'
            AND f.conrelid <> f.confrelid
            AND child.relname IN (SELECT * FROM maintenance.tenant_tables())
            AND parent.relname IN (SELECT * FROM maintenance.tenant_tables())
    ),

    -- How long the longest chain of references to a table is: all that refer to it go before.
    reached AS (
        SELECT
            tenant.name,
            0 AS depth
        FROM maintenance.tenant_tables() AS tenant (name)
        UNION
        SELECT
            r.to_table,
            reached.depth + 1
        FROM reached
        JOIN refers AS r ON r.from_table = reached.name
        -- Tables that refer to each other in a ring would go on for ever.
        WHERE reached.depth < 100
    )

    SELECT
        -- Deleting settings and rules writes to the trail, which therefore goes last. Claims name
        -- their upload without a constraint.
        row_number() OVER (
            ORDER BY r.name = 'audit_entry', r.name = 'upload', max(r.depth), r.name
        ),
        r.name::text
    FROM reached AS r
    GROUP BY r.name
    ORDER BY 1;
$function$;

COMMENT ON FUNCTION maintenance.erasure_order() IS
'All tables whose rows belong to a customer, in the order in which they can be emptied: none before those that refer to it. Read from the catalogue, so that a new table can''t be forgotten.';

REVOKE ALL ON FUNCTION maintenance.erasure_order() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.erasure_order() TO claimdrift_platform;
