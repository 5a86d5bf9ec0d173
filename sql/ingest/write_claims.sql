CREATE OR REPLACE FUNCTION ingest.write_claims(
    p_customer_id bigint,
    p_upload_id bigint,
    p_correct boolean,
    OUT inserted bigint,
    OUT updated bigint,
    OUT unchanged bigint,
    OUT stale bigint
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_rows bigint;
    v_claim_lines bigint;
    v_written record;
    v_kept bigint;
    v_stale bigint;
BEGIN
    -- A hash of the claim line is enough to see whether any occurs twice.
    SELECT
        count(*),
        count(DISTINCT hashtextextended(s.claim_number, coalesce(s.line_number::integer, 1)))
    INTO v_rows, v_claim_lines
    FROM pg_temp.staging AS s
    WHERE s.state IS NULL;

    IF v_claim_lines < v_rows THEN
        PERFORM ingest.fold_repeated(p_customer_id, p_correct);
        PERFORM ingest.upsert_claims(p_customer_id, p_upload_id, p_correct, p_repeated => TRUE);
    END IF;
    v_written := ingest.upsert_claims(p_customer_id, p_upload_id, p_correct, p_repeated => FALSE);

    SELECT
        count(*) FILTER (WHERE s.state IS NULL),
        count(*) FILTER (WHERE s.state = 'inserted') + v_written.inserted,
        count(*) FILTER (WHERE s.state = 'updated') + v_written.updated,
        count(*) FILTER (WHERE s.state = 'unchanged'),
        count(*) FILTER (WHERE s.state = 'stale')
    INTO v_rows, inserted, updated, unchanged, stale
    FROM pg_temp.staging AS s;

    v_kept := v_rows - v_written.inserted - v_written.updated;
    v_stale := CASE
        WHEN v_kept > 0 AND NOT p_correct THEN ingest.count_stale(p_customer_id) ELSE 0
    END;
    unchanged := unchanged + v_kept - v_stale;
    stale := stale + v_stale;
END;
$function$;

COMMENT ON FUNCTION ingest.write_claims(bigint, bigint, boolean) IS
'Applies the valid staged rows, whose payers and groups are resolved, to claim. Returns what became of them, row by row.';

REVOKE ALL ON FUNCTION ingest.write_claims(bigint, bigint, boolean) FROM public;
