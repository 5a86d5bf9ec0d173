CREATE OR REPLACE FUNCTION ingest.merge_received(
    p_customer_id bigint,
    p_upload_id bigint,
    p_ignored_columns text[],
    p_patient_columns text[]
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
-- DEFINER: runtime roles may not write claims, and payers only one by one.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Distinct values and repeated claim lines are hashed or sorted in memory.
SET work_mem = '128MB'
AS $function$
DECLARE
    v_upload public.upload;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM ingest.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    PERFORM ingest.check_staging();
    v_upload := ingest.lock_upload(p_customer_id => p_customer_id, p_upload_id => p_upload_id);

    IF v_upload.status = 'received' AND NOT ingest.close_repeated(v_upload) THEN
        UPDATE public.upload AS u
        SET ignored_columns = p_ignored_columns, patient_columns = p_patient_columns
        WHERE u.customer_id = p_customer_id AND u.id = p_upload_id;
        RETURN QUERY
        SELECT a.* FROM ingest.apply_staging(p_customer_id, p_upload_id) AS a;
        RETURN;
    END IF;

    DROP TABLE pg_temp.staging;
    RETURN QUERY
    SELECT
        u.id,
        u.status::text,
        u.error,
        u.rows_total,
        u.rows_inserted,
        u.rows_updated,
        u.rows_unchanged,
        u.rows_stale,
        u.rows_rejected
    FROM public.upload AS u
    WHERE u.customer_id = p_customer_id AND u.id = p_upload_id;
END;
$function$;

COMMENT ON FUNCTION ingest.merge_received(bigint, bigint, text[], text[]) IS
'What ingest.merge_v2 does, for an upload that was received: the flags are its own, and its bytes go with the same commit. A file that was completed before ends as repeated, with the former upload named in error, unless it is forced; an upload that is finished is left alone, so that a second call has no second effect. Returns one row, the upload. Raises PD001 to PD005 like ingest.merge_v2, PD016 for an unknown upload, PD020 when nothing is staged.';

REVOKE ALL ON FUNCTION ingest.merge_received(bigint, bigint, text[], text[]) FROM public;
GRANT EXECUTE ON FUNCTION ingest.merge_received(bigint, bigint, text[], text[])
TO claimdrift_platform;
