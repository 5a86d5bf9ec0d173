CREATE OR REPLACE FUNCTION ingest.receive_upload_v2(
    p_customer_id bigint,
    p_filename text,
    p_sha256 text,
    p_size_bytes bigint,
    p_strict boolean,
    p_correct boolean,
    p_force boolean,
    p_source text
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: uploads are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_upload_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);

    INSERT INTO public.upload AS u (
        customer_id, filename, sha256, size_bytes, strict, correct, force, source, uploaded_by_id
    )
    VALUES (
        p_customer_id,
        left(p_filename, 255),
        p_sha256,
        p_size_bytes,
        p_strict,
        p_correct,
        p_force,
        coalesce(ingest.trimmed(p_source), ''),
        nullif(current_setting('app.actor_id', true), '')::bigint
    )
    RETURNING u.id INTO STRICT v_upload_id;
    RETURN v_upload_id;
END;
$function$;

COMMENT ON FUNCTION ingest.receive_upload_v2(
    bigint, text, text, bigint, boolean, boolean, boolean, text
) IS
'Announces a file (p_sha256 in hexadecimal, p_size_bytes of the bytes as they come, compressed or not) and returns the upload''s id. Its bytes follow with ingest.add_chunk, then ingest.queue_upload, all in the same transaction. The flags are those of ingest.merge_v2, and so is p_source. Raises PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer, 23514 for a p_source of more than 64 characters, or with a control character.';

REVOKE ALL ON FUNCTION ingest.receive_upload_v2(
    bigint, text, text, bigint, boolean, boolean, boolean, text
) FROM public;
GRANT EXECUTE ON FUNCTION ingest.receive_upload_v2(
    bigint, text, text, bigint, boolean, boolean, boolean, text
) TO claimdrift_tenant, claimdrift_platform;
