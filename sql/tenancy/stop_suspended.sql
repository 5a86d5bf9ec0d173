CREATE OR REPLACE FUNCTION tenancy.stop_suspended(
    p_customer_ids bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: tokens are written by stored functions only. procrastinate's triggers name its tables
-- without a schema, hence public.
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_suspended bigint[];
    v_error CONSTANT text := 'the customer was suspended';
BEGIN
    SELECT array_agg(c.id ORDER BY c.id)
    INTO v_suspended
    FROM public.customer AS c
    WHERE c.id = ANY(p_customer_ids) AND c.status = 'suspended';
    IF v_suspended IS NULL THEN
        RETURN;
    END IF;

    DELETE FROM public.api_token AS t
    WHERE t.customer_id = ANY(v_suspended);
    -- A job that has started already is refused by the function it calls.
    UPDATE public.procrastinate_jobs AS j
    SET status = 'cancelled'
    WHERE j.status = 'todo' AND (j.args ->> 'customer_id')::bigint = ANY(v_suspended);

    PERFORM webhooks.cancel_waiting(
        p_customer_id => w.customer_id,
        p_endpoint_ids => array_agg(w.id ORDER BY w.id),
        p_reason => v_error
    )
    FROM public.webhook_endpoint AS w
    WHERE w.customer_id = ANY(v_suspended)
    GROUP BY w.customer_id;

    -- What is locked is at its end, which nobody needs to wait for. A run that is being carried
    -- out isn't: it finds itself failed, and is rolled back.
    UPDATE public.drift_run AS r
    SET status = 'failed', error = v_error, finished_at = clock_timestamp()
    WHERE r.id IN (
        SELECT waiting.id
        FROM public.drift_run AS waiting
        WHERE
            waiting.customer_id = ANY(v_suspended)
            AND waiting.status IN ('queued', 'running')
        FOR NO KEY UPDATE SKIP LOCKED
    );
    PERFORM ingest.close_upload(
        p_customer_id => waiting.customer_id,
        p_upload_id => waiting.id,
        p_status => 'failed',
        p_error => v_error
    )
    FROM (
        SELECT
            u.customer_id,
            u.id
        FROM public.upload AS u
        WHERE u.customer_id = ANY(v_suspended) AND u.status = 'received'
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS waiting;
END;
$function$;

COMMENT ON FUNCTION tenancy.stop_suspended(bigint[]) IS
'Revokes the tokens and cancels the waiting jobs of those of the customers that are suspended, ends their waiting runs and uploads as failed, and cancels their waiting deliveries; called by trigger on customer.';

REVOKE ALL ON FUNCTION tenancy.stop_suspended(bigint[]) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.stop_suspended(bigint[]) TO claimdrift_platform;
