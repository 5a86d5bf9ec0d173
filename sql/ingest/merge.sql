CREATE OR REPLACE FUNCTION ingest.merge(
    p_customer_id bigint,
    p_filename text,
    p_sha256 text,
    p_size_bytes bigint,
    p_strict boolean DEFAULT FALSE,
    p_correct boolean DEFAULT FALSE,
    p_force boolean DEFAULT FALSE,
    p_ignored_columns text[] DEFAULT '{}',
    p_patient_columns text[] DEFAULT '{}'
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
LANGUAGE sql
VOLATILE
AS $function$
    SELECT m.*
    FROM ingest.merge_v2(
        p_customer_id => p_customer_id,
        p_filename => p_filename,
        p_sha256 => p_sha256,
        p_size_bytes => p_size_bytes,
        p_strict => p_strict,
        p_correct => p_correct,
        p_force => p_force,
        p_ignored_columns => p_ignored_columns,
        p_patient_columns => p_patient_columns
    ) AS m;
$function$;

COMMENT ON FUNCTION ingest.merge(
    bigint, text, text, bigint, boolean, boolean, boolean, text[], text[]
) IS
'ingest.merge_v2 without a p_source: for releases from before there were sources.';

REVOKE ALL ON FUNCTION ingest.merge(
    bigint, text, text, bigint, boolean, boolean, boolean, text[], text[]
) FROM public;
GRANT EXECUTE ON FUNCTION ingest.merge(
    bigint, text, text, bigint, boolean, boolean, boolean, text[], text[]
) TO claimdrift_tenant, claimdrift_platform;
