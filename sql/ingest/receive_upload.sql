CREATE OR REPLACE FUNCTION ingest.receive_upload(
    p_customer_id bigint,
    p_filename text,
    p_sha256 text,
    p_size_bytes bigint,
    p_strict boolean,
    p_correct boolean,
    p_force boolean
)
RETURNS bigint
LANGUAGE sql
VOLATILE
AS $function$
    SELECT ingest.receive_upload_v2(
        p_customer_id => p_customer_id,
        p_filename => p_filename,
        p_sha256 => p_sha256,
        p_size_bytes => p_size_bytes,
        p_strict => p_strict,
        p_correct => p_correct,
        p_force => p_force,
        p_source => ''
    );
$function$;

COMMENT ON FUNCTION ingest.receive_upload(
    bigint, text, text, bigint, boolean, boolean, boolean
) IS
'ingest.receive_upload_v2 without a p_source: for releases from before there were sources.';

REVOKE ALL ON FUNCTION ingest.receive_upload(
    bigint, text, text, bigint, boolean, boolean, boolean
) FROM public;
GRANT EXECUTE ON FUNCTION ingest.receive_upload(
    bigint, text, text, bigint, boolean, boolean, boolean
) TO claimdrift_tenant, claimdrift_platform;
