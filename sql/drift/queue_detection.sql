CREATE OR REPLACE FUNCTION drift.queue_detection(
    p_customer_id bigint,
    p_as_of date DEFAULT NULL,
    p_trigger text DEFAULT 'manual'
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: the queue's tables belong to the worker. procrastinate's functions name theirs without
-- a schema, hence public.
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_job_ids bigint[];
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    -- The queueing lock allows one waiting job for a customer and day: one that waits will see
    -- everything that was committed before it starts.
    v_job_ids := procrastinate_defer_jobs_v1(
        ARRAY[
            ROW(
                'detection',
                'core.tasks.detect',
                0,
                NULL,
                format('detect:%s:%s', p_customer_id, coalesce(p_as_of::text, 'today')),
                jsonb_build_object(
                    'customer_id', p_customer_id, 'as_of', p_as_of, 'trigger', p_trigger
                ),
                NULL
            )::procrastinate_job_to_defer_v1
        ]
    );
    RETURN v_job_ids[1];
EXCEPTION
    WHEN unique_violation THEN
        RETURN NULL;
END;
$function$;

COMMENT ON FUNCTION drift.queue_detection(bigint, date, text) IS
'Queues one drift.detect for the worker (p_as_of NULL: the customer''s today when it runs) in the caller''s transaction. Returns the job''s id, or NULL when the same job is waiting already. Raises PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION drift.queue_detection(bigint, date, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.queue_detection(bigint, date, text)
TO claimdrift_tenant, claimdrift_platform;
