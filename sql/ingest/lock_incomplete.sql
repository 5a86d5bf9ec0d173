CREATE OR REPLACE FUNCTION ingest.lock_incomplete(
    p_customer_id bigint,
    p_upload_id bigint
)
RETURNS public.upload
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_upload CONSTANT public.upload := ingest.lock_upload(
        p_customer_id => p_customer_id, p_upload_id => p_upload_id
    );
BEGIN
    IF v_upload.status <> 'received' OR v_upload.queued_at IS NOT NULL THEN
        RAISE EXCEPTION 'the upload takes no more bytes'
            USING
                ERRCODE = 'PD015',
                DETAIL = format(
                    'Upload %s is %s.',
                    p_upload_id,
                    CASE v_upload.status
                        WHEN 'received' THEN 'waiting for the worker' ELSE v_upload.status
                    END
                ),
                HINT = 'Start another one with ingest.receive_upload_v2.';
    END IF;
    RETURN v_upload;
END;
$function$;

COMMENT ON FUNCTION ingest.lock_incomplete(bigint, bigint) IS
'Like ingest.lock_upload, for an upload whose bytes are still coming in. Raises PD015 for one that was queued or is finished, PD016 for an unknown one.';

REVOKE ALL ON FUNCTION ingest.lock_incomplete(bigint, bigint) FROM public;
