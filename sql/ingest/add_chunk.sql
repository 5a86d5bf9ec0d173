CREATE OR REPLACE FUNCTION ingest.add_chunk(
    p_customer_id bigint,
    p_upload_id bigint,
    p_number int,
    p_content bytea
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: uploads are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM ingest.lock_incomplete(p_customer_id => p_customer_id, p_upload_id => p_upload_id);

    INSERT INTO public.upload_chunk AS c (customer_id, upload_id, number, content)
    VALUES (p_customer_id, p_upload_id, p_number, p_content)
    ON CONFLICT (customer_id, upload_id, number) DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is such a chunk already'
            USING
                ERRCODE = 'PD015',
                DETAIL = format('Upload %s has a chunk %s.', p_upload_id, p_number),
                HINT = 'Number the chunks 0, 1, 2 and so on.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION ingest.add_chunk(bigint, bigint, int, bytea) IS
'Keeps a piece of a file for the worker, which holds one of them in memory at a time: about 1 MB is right. Pieces are numbered from 0. Raises PD002 to PD004 like tenancy.authorize, PD015 when the upload was queued or is finished, or has this number already, PD016 for an unknown one.';

REVOKE ALL ON FUNCTION ingest.add_chunk(bigint, bigint, int, bytea) FROM public;
GRANT EXECUTE ON FUNCTION ingest.add_chunk(bigint, bigint, int, bytea)
TO claimdrift_tenant, claimdrift_platform;
