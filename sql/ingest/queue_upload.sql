CREATE OR REPLACE FUNCTION ingest.queue_upload(
    p_customer_id bigint,
    p_upload_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: uploads are written by stored functions only, and the queue belongs to the worker.
-- procrastinate's functions name its tables without a schema, hence public.
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_upload public.upload;
    v_stored record;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    v_upload := ingest.lock_incomplete(
        p_customer_id => p_customer_id, p_upload_id => p_upload_id
    );

    SELECT
        count(*) AS chunks,
        coalesce(max(c.number) + 1, 0) AS numbers,
        coalesce(sum(octet_length(c.content)), 0) AS bytes
    INTO v_stored
    FROM public.upload_chunk AS c
    WHERE c.customer_id = p_customer_id AND c.upload_id = p_upload_id;
    IF v_stored.bytes <> v_upload.size_bytes OR v_stored.chunks <> v_stored.numbers THEN
        RAISE EXCEPTION 'the upload is incomplete'
            USING
                ERRCODE = 'PD015',
                DETAIL = format(
                    'Of %s bytes there are %s, in %s chunks of %s.',
                    v_upload.size_bytes, v_stored.bytes, v_stored.chunks, v_stored.numbers
                ),
                HINT = 'Send all bytes in chunks numbered 0, 1, 2 and so on.';
    END IF;

    UPDATE public.upload AS u
    SET queued_at = clock_timestamp()
    WHERE u.customer_id = p_customer_id AND u.id = p_upload_id;
    -- The lock keeps a customer's files in their order, and other customers' from waiting for them.
    RETURN (
        procrastinate_defer_jobs_v1(
            ARRAY[
                ROW(
                    'ingest',
                    'core.tasks.load_upload',
                    0,
                    format('ingest:%s', p_customer_id),
                    format('upload:%s', p_upload_id),
                    jsonb_build_object('customer_id', p_customer_id, 'upload_id', p_upload_id),
                    NULL
                )::procrastinate_job_to_defer_v1
            ]
        )
    )[1];
END;
$function$;

COMMENT ON FUNCTION ingest.queue_upload(bigint, bigint) IS
'Queues the load of an upload whose bytes are all there, in the caller''s transaction, after the customer''s earlier ones, and returns the job''s id. Raises PD002 to PD004 like tenancy.authorize, PD015 when chunks are missing or don''t add up to size_bytes, or it was queued before, PD016 for an unknown one.';

REVOKE ALL ON FUNCTION ingest.queue_upload(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.queue_upload(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
