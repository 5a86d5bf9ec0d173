CREATE OR REPLACE FUNCTION ingest.check_staging()
RETURNS void
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        WHERE
            c.oid = to_regclass('pg_temp.staging')
            AND c.relkind = 'r'
            AND c.relowner = 'claimdrift_owner'::regrole
    ) THEN
        RAISE EXCEPTION 'there are no staged rows'
            USING
                ERRCODE = 'PD020',
                HINT = 'Call ingest.create_staging() in the same transaction and copy the rows '
                || 'into pg_temp.staging first.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION ingest.check_staging() IS
'Raises PD020 unless pg_temp.staging is the table that ingest.create_staging made: a view of the caller''s under that name would run with the owner''s rights.';

REVOKE ALL ON FUNCTION ingest.check_staging() FROM public;
