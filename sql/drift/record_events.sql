CREATE OR REPLACE FUNCTION drift.record_events(
    p_customer_id bigint,
    p_run_id bigint,
    p_as_of date
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_events int;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    UPDATE public.drift_event AS e
    SET withdrawn = true
    WHERE
        e.customer_id = p_customer_id
        AND e.current_end = p_as_of - 1
        AND NOT e.withdrawn
        AND NOT EXISTS (
            SELECT FROM public.drift_measurement AS m
            WHERE
                m.customer_id = p_customer_id
                AND m.run_id = p_run_id
                AND m.payer_id = e.payer_id
                AND m.cpt_group_id IS NOT DISTINCT FROM e.cpt_group_id
                AND m.metric = e.metric
                AND m.drifted
        );

    INSERT INTO public.drift_event AS e (
        customer_id, run_id, payer_id, cpt_group_id, metric, direction,
        baseline_start, baseline_end, current_start, current_end,
        baseline_n, current_n, baseline_x, current_x, baseline_value, current_value,
        delta, relative_delta, ci_low, ci_high, nu, window_days, dispersion, z,
        p_value, q_value, severity, confidence, may_open,
        baseline_days, baseline_counts, strata, withdrawn
    )
    SELECT
        m.customer_id, m.run_id, m.payer_id, m.cpt_group_id, m.metric, m.direction,
        m.baseline_start, m.baseline_end, m.current_start, m.current_end,
        m.baseline_n, m.current_n, m.baseline_x, m.current_x, m.baseline_value, m.current_value,
        m.delta, m.relative_delta, m.ci_low, m.ci_high, m.nu, m.window_days, m.dispersion, m.z,
        m.p_value, m.q_value, m.severity, m.confidence, m.may_open,
        m.baseline_days, m.baseline_counts, m.strata, false
    FROM public.drift_measurement AS m
    WHERE m.customer_id = p_customer_id AND m.run_id = p_run_id AND m.drifted
    ORDER BY m.payer_id, m.cpt_group_id, m.metric
    ON CONFLICT (customer_id, payer_id, cpt_group_id, metric, current_end) DO UPDATE SET
        run_id = excluded.run_id,
        direction = excluded.direction,
        baseline_start = excluded.baseline_start,
        baseline_end = excluded.baseline_end,
        current_start = excluded.current_start,
        baseline_n = excluded.baseline_n,
        current_n = excluded.current_n,
        baseline_x = excluded.baseline_x,
        current_x = excluded.current_x,
        baseline_value = excluded.baseline_value,
        current_value = excluded.current_value,
        delta = excluded.delta,
        relative_delta = excluded.relative_delta,
        ci_low = excluded.ci_low,
        ci_high = excluded.ci_high,
        nu = excluded.nu,
        window_days = excluded.window_days,
        dispersion = excluded.dispersion,
        z = excluded.z,
        p_value = excluded.p_value,
        q_value = excluded.q_value,
        severity = excluded.severity,
        confidence = excluded.confidence,
        may_open = excluded.may_open,
        baseline_days = excluded.baseline_days,
        baseline_counts = excluded.baseline_counts,
        strata = excluded.strata,
        withdrawn = false
    WHERE
        to_jsonb(e) - '{id,created_at}'::text[]
        IS DISTINCT FROM to_jsonb(excluded) - '{id,created_at}'::text[];

    SELECT count(*)
    INTO v_events
    FROM public.drift_measurement AS m
    WHERE m.customer_id = p_customer_id AND m.run_id = p_run_id AND m.drifted;
    RETURN v_events;
END;
$function$;

COMMENT ON FUNCTION drift.record_events(bigint, bigint, date) IS
'Makes the drift events of a day equal to the run''s drifted measurements and returns their number: new ones are inserted, changed ones updated in place, those that no longer hold marked withdrawn. Alerts follow by trigger. The caller, drift.detect, holds the customer''s lock.';

REVOKE ALL ON FUNCTION drift.record_events(bigint, bigint, date) FROM public;
