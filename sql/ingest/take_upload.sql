CREATE OR REPLACE FUNCTION ingest.take_upload(
    p_customer_id bigint,
    p_upload_id bigint
)
RETURNS boolean
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
    -- Whoever gets the same job later waits here rather than after reading the whole file.
    PERFORM ingest.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    v_upload := ingest.lock_upload(p_customer_id => p_customer_id, p_upload_id => p_upload_id);
    IF v_upload.status <> 'received' THEN
        RETURN false;
    END IF;
    RETURN NOT ingest.close_repeated(v_upload);
END;
$function$;

COMMENT ON FUNCTION ingest.take_upload(bigint, bigint) IS
'Takes a received upload to be loaded in this transaction, which nobody else can until it ends; to be followed by ingest.merge_received. False when there is nothing to load: it is finished, or was the same file as a completed upload and so has just ended as repeated. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer, PD016 for an unknown upload.';

REVOKE ALL ON FUNCTION ingest.take_upload(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.take_upload(bigint, bigint) TO claimdrift_platform;
