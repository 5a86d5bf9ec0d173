CREATE OR REPLACE FUNCTION maintenance.tenant_tables()
RETURNS SETOF name
LANGUAGE sql
STABLE
ROWS 20
AS $function$
    SELECT c.relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'customer_id'
    WHERE
        c.relnamespace = 'public'::regnamespace
        AND c.relkind IN ('r', 'p')
        -- An unlogged one helps a migration along, and goes with it.
        AND c.relpersistence = 'p'
        AND a.attnum > 0
    ORDER BY c.relname;
$function$;

COMMENT ON FUNCTION maintenance.tenant_tables() IS
'The tables of schema public with a column customer_id, unlogged ones apart: those whose rows belong to a customer.';

REVOKE ALL ON FUNCTION maintenance.tenant_tables() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.tenant_tables() TO claimdrift_platform;
