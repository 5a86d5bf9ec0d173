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
    v_lock CONSTANT text := format(
        'detect:%s:%s', p_customer_id, coalesce(p_as_of::text, 'today')
    );
    v_job_ids bigint[];
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    -- The queueing lock allows one waiting job for a customer and day.
    FOR v_attempt IN 1..10 LOOP
        BEGIN
            v_job_ids := procrastinate_defer_jobs_v1(
                ARRAY[
                    ROW(
                        'detection',
                        'core.tasks.detect',
                        0,
                        NULL,
                        v_lock,
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
                -- Workers skip locked jobs: it can't start before this transaction's claims are
                -- there to be seen.
                PERFORM FROM procrastinate_jobs AS j
                WHERE j.queueing_lock = v_lock AND j.status = 'todo'
                FOR UPDATE;
                IF FOUND THEN
                    RETURN NULL;
                END IF;
                -- It has started in between, perhaps too early: another one is needed.
        END;
    END LOOP;
    RAISE EXCEPTION 'detection could not be queued'
        USING
            ERRCODE = 'lock_not_available',
            DETAIL = format('Jobs %s come and go.', v_lock),
            HINT = 'Try again.';
END;
$function$;

COMMENT ON FUNCTION drift.queue_detection(bigint, date, text) IS
'Queues one drift.detect for the worker (p_as_of NULL: the customer''s today when it runs) in the caller''s transaction. Returns the job''s id, or NULL when the same job is waiting already, which then waits for the end of this transaction too. Raises PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION drift.queue_detection(bigint, date, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.queue_detection(bigint, date, text)
TO claimdrift_tenant, claimdrift_platform;
