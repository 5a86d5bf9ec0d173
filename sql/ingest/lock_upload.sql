CREATE OR REPLACE FUNCTION ingest.lock_upload(
    p_customer_id bigint,
    p_upload_id bigint
)
RETURNS public.upload
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_upload public.upload;
BEGIN
    SELECT u.*
    INTO v_upload
    FROM public.upload AS u
    WHERE u.customer_id = p_customer_id AND u.id = p_upload_id
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown upload'
            USING
                ERRCODE = 'PD016',
                DETAIL = format('The customer has no upload %s.', p_upload_id),
                HINT = 'Look the id up in upload.';
    END IF;
    RETURN v_upload;
END;
$function$;

COMMENT ON FUNCTION ingest.lock_upload(bigint, bigint) IS
'The upload with this id, as it is once nobody else writes it; its row stays locked until the transaction ends. Who needs ingest.lock_customer as well takes that first. Raises PD016 for an unknown one.';

REVOKE ALL ON FUNCTION ingest.lock_upload(bigint, bigint) FROM public;
