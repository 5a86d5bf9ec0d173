CREATE OR REPLACE FUNCTION maintenance.requeue_stalled_jobs(
    p_silence interval DEFAULT '30 seconds'
)
RETURNS TABLE (
    job_id bigint,
    task_name text,
    outcome text
)
LANGUAGE plpgsql
VOLATILE
-- DEFINER: uploads and runs are written by stored functions only. procrastinate's functions name
-- its tables without a schema, hence public.
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    -- A job that takes its worker with it, for want of memory say, would do so for ever.
    v_most_attempts CONSTANT int := 5;
    v_error CONSTANT text := format(
        'The worker died %s times while it was at it.', v_most_attempts
    );
    v_job public.procrastinate_jobs;
BEGIN
    FOR v_job IN
        SELECT j.*
        FROM public.procrastinate_jobs AS j
        LEFT JOIN public.procrastinate_workers AS w ON w.id = j.worker_id
        WHERE
            j.status = 'doing'
            AND coalesce(w.last_heartbeat, '-infinity') < clock_timestamp() - p_silence
        ORDER BY j.id
        FOR NO KEY UPDATE OF j SKIP LOCKED
    LOOP
        job_id := v_job.id;
        task_name := v_job.task_name;
        IF v_job.attempts + 1 >= v_most_attempts THEN
            outcome := 'failed';
            BEGIN
                CASE v_job.task_name
                    WHEN 'core.tasks.load_upload' THEN
                        PERFORM ingest.fail_upload(
                            p_customer_id => (v_job.args ->> 'customer_id')::bigint,
                            p_upload_id => (v_job.args ->> 'upload_id')::bigint,
                            p_error => v_error
                        );
                    WHEN 'core.tasks.run_requested' THEN
                        PERFORM drift.fail_run(
                            p_customer_id => (v_job.args ->> 'customer_id')::bigint,
                            p_run_id => (v_job.args ->> 'run_id')::bigint,
                            p_error => v_error
                        );
                    ELSE
                        -- Nothing else waits for its job: webhooks have maintenance.requeue_deliveries.
                        NULL;
                END CASE;
            EXCEPTION
                WHEN SQLSTATE 'PD016' THEN
                    -- It is gone, with its customer perhaps.
                    NULL;
            END;
            PERFORM procrastinate_finish_job_v1(v_job.id, 'failed', false);
        ELSE
            BEGIN
                outcome := 'queued';
                PERFORM procrastinate_retry_job_v2(
                    v_job.id, clock_timestamp(), NULL, NULL, NULL
                );
            EXCEPTION
                WHEN unique_violation THEN
                    -- One that waits already does the same.
                    outcome := 'aborted';
                    PERFORM procrastinate_finish_job_v1(v_job.id, 'aborted', false);
            END;
        END IF;
        RETURN NEXT;
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION maintenance.requeue_stalled_jobs(interval) IS
'The reaper: queues again what workers were doing that gave no sign of life for p_silence (they give one every 10 seconds). One row for each job: queued; failed, for one that was tried 5 times, whose upload or run ends as failed; aborted, where the same job waits already. A worker that merely was away goes on, so that jobs may run twice. Safe at any time, any number at once; the worker calls it every minute.';

REVOKE ALL ON FUNCTION maintenance.requeue_stalled_jobs(interval) FROM public;
GRANT EXECUTE ON FUNCTION maintenance.requeue_stalled_jobs(interval) TO claimdrift_platform;
