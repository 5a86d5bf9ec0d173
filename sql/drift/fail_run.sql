CREATE OR REPLACE FUNCTION drift.fail_run(
    p_customer_id bigint,
    p_run_id bigint,
    p_error text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runs are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    -- No customer's lock: a run that is being carried out notices at its end.
    UPDATE public.drift_run AS r
    SET status = 'failed', error = p_error, finished_at = clock_timestamp()
    WHERE
        r.customer_id = p_customer_id
        AND r.id = p_run_id
        AND r.status IN ('queued', 'running');
    PERFORM drift.find_run(p_customer_id => p_customer_id, p_run_id => p_run_id);
END;
$function$;

COMMENT ON FUNCTION drift.fail_run(bigint, bigint, text) IS
'Marks a queued or running run as failed, for a reason that quotes no data. One that is finished is left alone. Raises PD002 to PD004 like tenancy.authorize, PD016 for an unknown run.';

REVOKE ALL ON FUNCTION drift.fail_run(bigint, bigint, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.fail_run(bigint, bigint, text) TO claimdrift_platform;
