CREATE OR REPLACE FUNCTION drift.run_requested(
    p_customer_id bigint,
    p_run_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runs, measurements, events and alerts are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_run public.drift_run;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);

    v_run := drift.find_run(p_customer_id => p_customer_id, p_run_id => p_run_id);
    IF v_run.status IN ('queued', 'running') THEN
        PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
        PERFORM drift.complete_run(p_customer_id => p_customer_id, p_run_id => p_run_id);
    END IF;
    RETURN p_run_id;
END;
$function$;

COMMENT ON FUNCTION drift.run_requested(bigint, bigint) IS
'Does what drift.detect does, for a run that drift.request_run or drift.queue_nightly made. One that is finished is left alone, so that a second call has no second effect. Returns the run''s id. Raises PD001 to PD005 like drift.detect, PD015 when it is marked failed meanwhile, PD016 for an unknown run.';

REVOKE ALL ON FUNCTION drift.run_requested(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.run_requested(bigint, bigint) TO claimdrift_platform;
