CREATE OR REPLACE FUNCTION drift.queue_detection(
    p_customer_id bigint,
    p_as_of date DEFAULT NULL,
    p_trigger text DEFAULT 'manual'
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
    RETURN tenancy.queue_job(
        p_customer_id => p_customer_id,
        p_queue => 'detection',
        p_task => 'core.tasks.detect',
        p_lock => format('detect:%s:%s', p_customer_id, coalesce(p_as_of::text, 'today')),
        p_arguments => jsonb_build_object('as_of', p_as_of, 'trigger', p_trigger)
    );
END;
$function$;

COMMENT ON FUNCTION drift.queue_detection(bigint, date, text) IS
'Queues one drift.detect for the worker (p_as_of NULL: the customer''s today when it runs) in the caller''s transaction. Returns the job''s id, or NULL when the same job is waiting already, which then waits for the end of this transaction too. Raises PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION drift.queue_detection(bigint, date, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.queue_detection(bigint, date, text)
TO claimdrift_tenant, claimdrift_platform;
