CREATE OR REPLACE FUNCTION tenancy.queue_job(
    p_customer_id bigint,
    p_queue text,
    p_task text,
    p_lock text,
    p_arguments jsonb
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

    -- The queueing lock allows one waiting job.
    FOR v_attempt IN 1..10 LOOP
        BEGIN
            v_job_ids := procrastinate_defer_jobs_v1(
                ARRAY[
                    ROW(
                        p_queue,
                        p_task,
                        0,
                        NULL,
                        p_lock,
                        jsonb_build_object('customer_id', p_customer_id) || p_arguments,
                        NULL
                    )::procrastinate_job_to_defer_v1
                ]
            );
            RETURN v_job_ids[1];
        EXCEPTION
            WHEN unique_violation THEN
                -- Workers skip locked jobs: it can't start before what this transaction wrote is
                -- there to be seen.
                PERFORM FROM procrastinate_jobs AS j
                WHERE j.queueing_lock = p_lock AND j.status = 'todo'
                FOR UPDATE;
                IF FOUND THEN
                    RETURN NULL;
                END IF;
                -- It has started in between, perhaps too early: another one is needed.
        END;
    END LOOP;
    RAISE EXCEPTION 'the job could not be queued'
        USING
            ERRCODE = 'lock_not_available',
            DETAIL = format('Jobs %s come and go.', p_lock),
            HINT = 'Try again.';
END;
$function$;

COMMENT ON FUNCTION tenancy.queue_job(bigint, text, text, text, jsonb) IS
'Queues a job of a customer for the worker, in the caller''s transaction; p_arguments are added to customer_id. Returns the job''s id, or NULL when one with the same p_lock is waiting already: that one won''t start before this transaction ends. Raises PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION tenancy.queue_job(bigint, text, text, text, jsonb) FROM public;
