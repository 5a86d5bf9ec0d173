CREATE OR REPLACE FUNCTION drift.find_run(
    p_customer_id bigint,
    p_run_id bigint
)
RETURNS public.drift_run
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_run public.drift_run;
BEGIN
    SELECT r.*
    INTO v_run
    FROM public.drift_run AS r
    WHERE r.customer_id = p_customer_id AND r.id = p_run_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown run'
            USING
                ERRCODE = 'PD016',
                DETAIL = format('The customer has no run %s.', p_run_id),
                HINT = 'Look the id up in drift_run.';
    END IF;
    RETURN v_run;
END;
$function$;

COMMENT ON FUNCTION drift.find_run(bigint, bigint) IS
'The run with this id. Raises PD016 for an unknown one.';

REVOKE ALL ON FUNCTION drift.find_run(bigint, bigint) FROM public;
