CREATE OR REPLACE FUNCTION ingest.queue_remap(
    p_customer_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: the queue belongs to the worker.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    -- One that is suspended, or being erased, has no work done for it.
    IF NOT EXISTS (
        SELECT FROM public.customer AS c WHERE c.id = p_customer_id AND c.status = 'active'
    ) THEN
        RETURN NULL;
    END IF;
    RETURN tenancy.queue_job(
        p_customer_id => p_customer_id,
        p_queue => 'detection',
        p_task => 'core.tasks.remap',
        p_lock => format('remap:%s', p_customer_id),
        p_arguments => '{}'
    );
END;
$function$;

COMMENT ON FUNCTION ingest.queue_remap(bigint) IS
'Queues one ingest.remap_claims for the worker, in the caller''s transaction; called by trigger when an alias or a CPT mapping changed. Returns the job''s id, or NULL when one is waiting already or the customer isn''t active. Raises PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION ingest.queue_remap(bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.queue_remap(bigint) TO claimdrift_tenant, claimdrift_platform;
