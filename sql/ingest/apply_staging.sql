CREATE OR REPLACE FUNCTION ingest.apply_staging(
    p_customer_id bigint,
    p_upload_id bigint
)
RETURNS TABLE (
    upload_id bigint,
    status text,
    error text,
    rows_total bigint,
    rows_inserted bigint,
    rows_updated bigint,
    rows_unchanged bigint,
    rows_stale bigint,
    rows_rejected bigint
)
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_sha256 text;
    v_is_strict boolean;
    v_corrects boolean;
    v_source text;
    v_total bigint;
    v_valid bigint;
    v_error text := '';
    v_counts record;
BEGIN
    SELECT u.sha256, u.strict, u.correct, u.source
    INTO STRICT v_sha256, v_is_strict, v_corrects, v_source
    FROM public.upload AS u
    WHERE u.customer_id = p_customer_id AND u.id = p_upload_id;
    PERFORM ingest.validate_staging(p_customer_id, p_upload_id);
    PERFORM ingest.create_typed(p_source => v_source);

    SELECT
        count(*),
        count(*) FILTER (WHERE s.state IS NULL)
    INTO v_total, v_valid
    FROM pg_temp.staging AS s;

    IF v_total = 0 THEN
        v_error := 'the file has no rows';
    ELSIF v_valid = 0 THEN
        v_error := 'every row was rejected';
    ELSIF v_is_strict AND v_valid < v_total THEN
        v_error := 'rows were rejected and the load is strict';
    END IF;

    -- A record has no fields before something was assigned to it.
    SELECT 0::bigint AS inserted, 0::bigint AS updated, 0::bigint AS unchanged, 0::bigint AS stale
    INTO v_counts;
    IF v_error = '' THEN
        PERFORM ingest.resolve_staging(p_customer_id);
        v_counts := ingest.write_claims(p_customer_id, p_upload_id, v_corrects);
        -- One upload of a file is the completed one; a forced one takes its place.
        UPDATE public.upload AS u
        SET status = 'superseded'
        WHERE
            u.customer_id = p_customer_id
            AND u.sha256 = v_sha256
            AND u.status = 'completed';
    END IF;

    DELETE FROM public.upload_chunk AS c
    WHERE c.customer_id = p_customer_id AND c.upload_id = p_upload_id;
    RETURN QUERY
    UPDATE public.upload AS u
    SET
        status = CASE WHEN v_error = '' THEN 'completed' ELSE 'failed' END,
        error = v_error,
        rows_total = v_total,
        rows_inserted = v_counts.inserted,
        rows_updated = v_counts.updated,
        rows_unchanged = v_counts.unchanged,
        rows_stale = v_counts.stale,
        rows_rejected = v_total - v_valid,
        finished_at = clock_timestamp()
    WHERE u.customer_id = p_customer_id AND u.id = p_upload_id
    RETURNING
        u.id,
        u.status::text,
        u.error,
        u.rows_total,
        u.rows_inserted,
        u.rows_updated,
        u.rows_unchanged,
        u.rows_stale,
        u.rows_rejected;

    IF v_counts.inserted + v_counts.updated > 0 THEN
        PERFORM drift.queue_detection(p_customer_id => p_customer_id, p_trigger => 'upload');
    END IF;

    -- Another file may follow in this transaction.
    DROP VIEW pg_temp.typed;
    DROP TABLE pg_temp.staging, pg_temp.payer_map, pg_temp.cpt_map, pg_temp.date_map;
END;
$function$;

COMMENT ON FUNCTION ingest.apply_staging(bigint, bigint) IS
'Validates the staged rows, applies the valid ones to claim under the flags of their upload, and ends that as completed or failed: what ingest.merge_v2 and ingest.merge_received share. Returns its row. The caller holds ingest.lock_customer.';

REVOKE ALL ON FUNCTION ingest.apply_staging(bigint, bigint) FROM public;
