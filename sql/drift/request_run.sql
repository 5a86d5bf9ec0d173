CREATE OR REPLACE FUNCTION drift.request_run(
    p_customer_id bigint,
    p_as_of date
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runs are written by stored functions only, and the queue belongs to the worker.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_run_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);

    -- No customer's lock: nothing is decided. Writing to a run that waits keeps it from starting
    -- before what this transaction wrote is there to be seen.
    INSERT INTO public.drift_run AS r (
        customer_id, as_of, trigger, status, requested_by_id, requested_at
    )
    VALUES (
        p_customer_id,
        coalesce(
            p_as_of, tenancy.local_date(p_customer_id => p_customer_id, p_at => clock_timestamp())
        ),
        'api',
        'queued',
        nullif(current_setting('app.actor_id', true), '')::bigint,
        clock_timestamp()
    )
    ON CONFLICT (customer_id, as_of) WHERE status = 'queued' DO UPDATE SET as_of = excluded.as_of
    RETURNING r.id INTO STRICT v_run_id;
    PERFORM drift.queue_run(p_customer_id => p_customer_id, p_run_id => v_run_id);
    RETURN v_run_id;
END;
$function$;

COMMENT ON FUNCTION drift.request_run(bigint, date) IS
'Asks for a run as of a day (exclusive; NULL: today in the customer''s time zone), to be carried out by the worker, and returns its id; one that waits for this day already is the one. It starts when this transaction has committed. Raises PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer.';

REVOKE ALL ON FUNCTION drift.request_run(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.request_run(bigint, date)
TO claimdrift_tenant, claimdrift_platform;
