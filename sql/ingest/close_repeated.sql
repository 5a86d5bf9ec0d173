CREATE OR REPLACE FUNCTION ingest.close_repeated(
    p_upload public.upload
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_error text;
BEGIN
    IF NOT p_upload.force THEN
        SELECT format('upload %s was this file: it was loaded on %s', u.id, u.finished_at::date)
        INTO v_error
        FROM public.upload AS u
        WHERE
            u.customer_id = p_upload.customer_id
            AND u.sha256 = p_upload.sha256
            AND u.status = 'completed';
    END IF;
    IF v_error IS NULL THEN
        RETURN false;
    END IF;
    PERFORM ingest.close_upload(
        p_customer_id => p_upload.customer_id,
        p_upload_id => p_upload.id,
        p_status => 'repeated',
        p_error => v_error
    );
    RETURN true;
END;
$function$;

COMMENT ON FUNCTION ingest.close_repeated(public.upload) IS
'Ends a received upload as repeated, naming the former one, if the same file was completed before and it isn''t forced. Returns whether it did. The caller holds ingest.lock_customer and the row''s lock.';

REVOKE ALL ON FUNCTION ingest.close_repeated(public.upload) FROM public;
