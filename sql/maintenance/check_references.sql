CREATE OR REPLACE FUNCTION maintenance.check_references()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_query text;
BEGIN
    FOR v_query IN
        SELECT
            format(
                'SELECT ''customer_unknown'', t.customer_id, min(t.id),'
                ' format(''%%s rows in %s of a customer that doesn''''t exist'', count(*))'
                ' FROM public.%I AS t'
                -- A superuser''s token belongs to no customer.
                ' WHERE t.customer_id IS NOT NULL'
                ' AND NOT EXISTS (SELECT FROM public.customer AS c WHERE c.id = t.customer_id)'
                ' GROUP BY t.customer_id',
                tenant.name, tenant.name
            )
        FROM maintenance.tenant_tables() AS tenant (name)
        UNION ALL
        -- Keys that are enforced, since constraints can be dropped and triggers be disabled; and
        -- the two that aren't.
        SELECT
            format(
                'SELECT ''reference_broken'', t.customer_id, t.id,'
                ' format(''%s.%s names no %s of the same customer: %%s'', t.%I)'
                ' FROM public.%I AS t'
                ' WHERE t.%I IS NOT NULL AND NOT EXISTS ('
                'SELECT FROM public.%I AS r WHERE r.id = t.%I%s)',
                key.from_table, key.from_column, key.to_table, key.from_column, key.from_table,
                key.from_column, key.to_table, key.from_column,
                CASE WHEN key.is_composite THEN ' AND r.customer_id = t.customer_id' ELSE '' END
            )
        FROM (
            SELECT
                f.conrelid::regclass::name AS from_table,
                a.attname AS from_column,
                p.relname AS to_table,
                cardinality(f.conkey) > 1 AS is_composite
            FROM maintenance.tenant_tables() AS tenant (name)
            JOIN pg_catalog.pg_constraint AS f
                ON f.contype = 'f' AND f.conrelid = format('public.%I', tenant.name)::regclass
            JOIN pg_catalog.pg_class AS p ON p.oid = f.confrelid
            -- The last column is the one that is about another row than the customer's.
            JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid = f.conrelid AND a.attnum = f.conkey[cardinality(f.conkey)]
            WHERE a.attname <> 'customer_id'
            UNION ALL
            VALUES
                ('claim', 'upload_id', 'upload', true),
                ('drift_measurement', 'frozen_alert_id', 'alert', true)
        ) AS key
    LOOP
        RETURN QUERY EXECUTE v_query;
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION maintenance.check_references() IS
'Rows that refer to nothing: customer_unknown (one row per table and missing customer; object_id is the first), reference_broken (a column of a tenant table that names no row, or one of another customer). Finds tables and keys in the catalogue. Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_references() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_references() TO claimdrift_platform;
