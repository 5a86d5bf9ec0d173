CREATE OR REPLACE FUNCTION ingest.create_staging()
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: the table must belong to the owner, so that nobody can put another one, or a view that
-- would then run with the owner's rights, in its place.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    CREATE TEMPORARY TABLE staging (
        line bigint NOT NULL,
        fault_column text,
        fault text,
        source text,
        claim_number text,
        line_number text,
        payer text,
        cpt text,
        submitted_date text,
        decided_date text,
        outcome text,
        billed_amount text,
        allowed_amount text,
        paid_amount text,
        denial_code text,
        -- What becomes of the row, filled by ingest.merge_v2.
        state text,
        is_last boolean,
        first_submitted_date date,
        first_decided_date date,
        first_outcome text
    ) ON COMMIT DROP;
    GRANT INSERT ON staging TO claimdrift_tenant, claimdrift_platform;

    -- A client that was killed must not keep its locks until the server has finished for nobody.
    PERFORM set_config('client_connection_check_interval', '2s', true);
EXCEPTION
    WHEN duplicate_table THEN
        RAISE EXCEPTION 'there is a table named staging in this session'
            USING
                ERRCODE = 'PD020',
                HINT = 'One file is loaded per transaction; drop a temporary table of that name.';
END;
$function$;

COMMENT ON FUNCTION ingest.create_staging() IS
'Creates pg_temp.staging, into which the caller copies a file''s rows as text before it calls ingest.merge_v2; dropped at the end of the transaction. fault and fault_column are for rows that the reader itself rejects. Raises PD020 when there is one already.';

REVOKE ALL ON FUNCTION ingest.create_staging() FROM public;
GRANT EXECUTE ON FUNCTION ingest.create_staging() TO claimdrift_tenant, claimdrift_platform;
