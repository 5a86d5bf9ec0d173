CREATE OR REPLACE FUNCTION drift.queue_run(
    p_customer_id bigint,
    p_run_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    RETURN tenancy.queue_job(
        p_customer_id => p_customer_id,
        p_queue => 'detection',
        p_task => 'core.tasks.run_requested',
        p_lock => format('run:%s', p_run_id),
        p_arguments => jsonb_build_object('run_id', p_run_id)
    );
END;
$function$;

COMMENT ON FUNCTION drift.queue_run(bigint, bigint) IS
'Queues the job that carries out a queued run. Returns the job''s id, or NULL when it is waiting already.';

REVOKE ALL ON FUNCTION drift.queue_run(bigint, bigint) FROM public;
