CREATE OR REPLACE FUNCTION drift.start_run(
    p_customer_id bigint,
    p_run_id bigint
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runs are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_run public.drift_run;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    -- No customer's lock, which may be waited for long: whoever asks for this day from here on
    -- gets a run of their own, that sees what they wrote.
    UPDATE public.drift_run AS r
    SET status = 'running', started_at = clock_timestamp()
    WHERE r.customer_id = p_customer_id AND r.id = p_run_id AND r.status = 'queued';
    v_run := drift.find_run(p_customer_id => p_customer_id, p_run_id => p_run_id);
    RETURN v_run.status = 'running';
END;
$function$;

COMMENT ON FUNCTION drift.start_run(bigint, bigint) IS
'Marks a queued run as running; to be committed before drift.run_requested, so that everybody sees it. Returns whether it is to be carried out: also true for one whose worker died, false for one that is finished. Raises PD002 to PD004 like tenancy.authorize, PD016 for an unknown run.';

REVOKE ALL ON FUNCTION drift.start_run(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.start_run(bigint, bigint) TO claimdrift_platform;
