CREATE OR REPLACE FUNCTION ingest.close_upload(
    p_customer_id bigint,
    p_upload_id bigint,
    p_status text,
    p_error text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    DELETE FROM public.upload_chunk AS c
    WHERE c.customer_id = p_customer_id AND c.upload_id = p_upload_id;
    UPDATE public.upload AS u
    SET status = p_status, error = p_error, finished_at = clock_timestamp()
    WHERE u.customer_id = p_customer_id AND u.id = p_upload_id;
END;
$function$;

COMMENT ON FUNCTION ingest.close_upload(bigint, bigint, text, text) IS
'Ends an upload of which nothing was loaded, and drops its bytes. The caller holds its row''s lock.';

REVOKE ALL ON FUNCTION ingest.close_upload(bigint, bigint, text, text) FROM public;
