CREATE OR REPLACE FUNCTION ingest.validate_staging(
    p_customer_id bigint,
    p_upload_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_today CONSTANT date := tenancy.local_date(p_customer_id, clock_timestamp());
    v_doubtful bigint;
BEGIN
    v_doubtful := ingest.normalise_staging();
    PERFORM ingest.create_maps(p_latest => (v_today + INTERVAL '1 year')::date);

    -- A clean file doesn't pay for the search.
    IF v_doubtful = 0
        AND NOT EXISTS (SELECT FROM pg_temp.payer_map AS m WHERE m.problem IS NOT NULL)
        AND NOT EXISTS (SELECT FROM pg_temp.cpt_map AS m WHERE m.problem IS NOT NULL)
        AND NOT EXISTS (SELECT FROM pg_temp.date_map AS m WHERE m.problem IS NOT NULL)
        AND NOT EXISTS (SELECT FROM pg_temp.staging AS s WHERE s.fault IS NOT NULL)
    THEN
        RETURN;
    END IF;

    WITH problem AS MATERIALIZED (
        SELECT * FROM ingest.find_problems()
    ),

    recorded AS (
        INSERT INTO public.upload_error (customer_id, upload_id, line, "column", message)
        SELECT
            p_customer_id,
            p_upload_id,
            p.line,
            p.column_name,
            p.message
        FROM problem AS p
        ORDER BY p.line, p.column_number
    )

    UPDATE pg_temp.staging AS s
    SET state = 'rejected'
    FROM (SELECT DISTINCT p.line FROM problem AS p) AS bad
    WHERE s.line = bad.line;
END;
$function$;

COMMENT ON FUNCTION ingest.validate_staging(bigint, bigint) IS
'Marks the staged rows that can''t be loaded as rejected and records each of their problems in upload_error. Creates the tables of ingest.create_maps.';

REVOKE ALL ON FUNCTION ingest.validate_staging(bigint, bigint) FROM public;
