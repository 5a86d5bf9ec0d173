CREATE OR REPLACE FUNCTION ingest.fail_upload(
    p_customer_id bigint,
    p_upload_id bigint,
    p_error text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: uploads are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_upload public.upload;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    -- While somebody loads it, this waits, and then finds it finished.
    v_upload := ingest.lock_upload(p_customer_id => p_customer_id, p_upload_id => p_upload_id);
    IF v_upload.status = 'received' THEN
        PERFORM ingest.close_upload(
            p_customer_id => p_customer_id,
            p_upload_id => p_upload_id,
            p_status => 'failed',
            p_error => p_error
        );
    END IF;
END;
$function$;

COMMENT ON FUNCTION ingest.fail_upload(bigint, bigint, text) IS
'Ends a received upload as failed, for a reason that quotes no data, and drops its bytes. One that is finished is left alone. Raises PD002 to PD004 like tenancy.authorize, PD016 for an unknown one.';

REVOKE ALL ON FUNCTION ingest.fail_upload(bigint, bigint, text) FROM public;
GRANT EXECUTE ON FUNCTION ingest.fail_upload(bigint, bigint, text) TO claimdrift_platform;
