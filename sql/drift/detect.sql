CREATE OR REPLACE FUNCTION drift.detect(
    p_customer_id bigint,
    p_as_of date DEFAULT NULL,
    p_trigger text DEFAULT 'manual'
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runs, measurements, events and alerts are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_run_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);

    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    INSERT INTO public.drift_run (customer_id, as_of, trigger, requested_at, started_at)
    VALUES (
        p_customer_id,
        -- now() is from before the wait for the lock.
        coalesce(
            p_as_of, tenancy.local_date(p_customer_id => p_customer_id, p_at => clock_timestamp())
        ),
        p_trigger,
        clock_timestamp(),
        clock_timestamp()
    )
    RETURNING id INTO STRICT v_run_id;
    PERFORM drift.complete_run(p_customer_id => p_customer_id, p_run_id => v_run_id);
    RETURN v_run_id;
END;
$function$;

COMMENT ON FUNCTION drift.detect(bigint, date, text) IS
'Measures a customer''s claims as of a day (exclusive; NULL: today in its time zone), records events, and opens, moves or clears alerts, all or nothing, under the customer''s lock. Returns the drift_run''s id. Run again for the same day it writes only what new claims changed; for a day older than the newest applied one it records measurements only. On a look (drift.is_look) alerts open at the full false discovery rate, on other days at a tenth of it. p_trigger says what asked for it (lower-case word). Raises PD001 to PD005.';

REVOKE ALL ON FUNCTION drift.detect(bigint, date, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.detect(bigint, date, text)
TO claimdrift_tenant, claimdrift_platform;
