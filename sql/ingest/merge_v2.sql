CREATE OR REPLACE FUNCTION ingest.merge_v2(
    p_customer_id bigint,
    p_filename text,
    p_sha256 text,
    p_size_bytes bigint,
    p_strict boolean DEFAULT FALSE,
    p_correct boolean DEFAULT FALSE,
    p_force boolean DEFAULT FALSE,
    p_ignored_columns text[] DEFAULT '{}',
    p_patient_columns text[] DEFAULT '{}',
    p_source text DEFAULT ''
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
    v_upload_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM ingest.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    PERFORM ingest.check_staging();

    IF NOT p_force THEN
        RETURN QUERY
        SELECT
            u.id,
            'repeated',
            format('it was loaded on %s already', u.finished_at::date),
            u.rows_total,
            u.rows_inserted,
            u.rows_updated,
            u.rows_unchanged,
            u.rows_stale,
            u.rows_rejected
        FROM public.upload AS u
        WHERE u.customer_id = p_customer_id AND u.sha256 = p_sha256 AND u.status = 'completed';
        IF FOUND THEN
            DROP TABLE pg_temp.staging;
            RETURN;
        END IF;
    END IF;

    INSERT INTO public.upload AS u (
        customer_id, filename, sha256, size_bytes, strict, correct, force, ignored_columns,
        patient_columns, source, uploaded_by_id
    )
    VALUES (
        p_customer_id,
        left(p_filename, 255),
        p_sha256,
        p_size_bytes,
        p_strict,
        p_correct,
        p_force,
        p_ignored_columns,
        p_patient_columns,
        coalesce(ingest.trimmed(p_source), ''),
        nullif(current_setting('app.actor_id', TRUE), '')::bigint
    )
    RETURNING u.id INTO v_upload_id;

    RETURN QUERY
    SELECT a.* FROM ingest.apply_staging(p_customer_id, v_upload_id) AS a;
END;
$function$;

COMMENT ON FUNCTION ingest.merge_v2(
    bigint, text, text, bigint, boolean, boolean, boolean, text[], text[], text
) IS
'Validates the rows in pg_temp.staging (see ingest.create_staging) and applies the valid ones to claim as if one by one, in one upload; queues detection when anything changed. Rejected rows go to upload_error; under p_strict one is enough for nothing to be loaded. p_correct: rows win over stored ones whatever their dates, and reset the first determination. A file (p_sha256) that was completed before is left alone (status repeated, with the counts of that upload) unless p_force. p_source names the billing system of the rows that name none. p_ignored_columns and p_patient_columns name columns that the reader left out. Returns one row: the upload, completed or failed with its error, and what became of the rows. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD004 for an unknown customer, PD005 for a suspended one, PD020 when nothing is staged, 23514 for a p_source of more than 64 characters, or with a control character.';

REVOKE ALL ON FUNCTION ingest.merge_v2(
    bigint, text, text, bigint, boolean, boolean, boolean, text[], text[], text
) FROM public;
GRANT EXECUTE ON FUNCTION ingest.merge_v2(
    bigint, text, text, bigint, boolean, boolean, boolean, text[], text[], text
) TO claimdrift_tenant, claimdrift_platform;
