CREATE OR REPLACE FUNCTION drift.record_measurements(
    p_customer_id bigint,
    p_run_id bigint,
    p_as_of date
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    WITH
    fresh AS MATERIALIZED (
        SELECT m.*
        FROM drift.examine(p_customer_id => p_customer_id, p_as_of => p_as_of) AS m
    ),

    gone AS (
        DELETE FROM public.drift_measurement AS d
        WHERE
            d.customer_id = p_customer_id
            AND d.run_id = p_run_id
            AND NOT EXISTS (
                SELECT FROM fresh AS f
                WHERE
                    f.payer_id = d.payer_id
                    AND f.cpt_group_id IS NOT DISTINCT FROM d.cpt_group_id
                    AND f.metric = d.metric
            )
    )

    INSERT INTO public.drift_measurement AS d (
        customer_id, run_id, payer_id, cpt_group_id, metric, direction,
        sufficient, drifted, may_open, is_look, frozen_alert_id,
        baseline_start, baseline_end, current_start, current_end,
        baseline_n, current_n, baseline_x, current_x, baseline_value, current_value,
        delta, relative_delta, ci_low, ci_high, phi_own, phi_prior, d0, nu, windows,
        window_days, dispersion, z, p_value, q_value, severity, confidence,
        baseline_days, baseline_counts, strata
    )
    SELECT
        p_customer_id, p_run_id, f.payer_id, f.cpt_group_id, f.metric, f.direction,
        f.sufficient, f.drifted, f.may_open, f.is_look, f.frozen_alert_id,
        f.baseline_start, f.baseline_end, f.current_start, f.current_end,
        f.baseline_n, f.current_n, f.baseline_x, f.current_x, f.baseline_value, f.current_value,
        f.delta, f.relative_delta, f.ci_low, f.ci_high, f.phi_own, f.phi_prior, f.d0, f.nu, f.windows,
        f.window_days, f.dispersion, f.z, f.p_value, f.q_value, f.severity, f.confidence,
        f.baseline_days, f.baseline_counts, f.strata
    FROM fresh AS f
    ORDER BY f.payer_id, f.cpt_group_id, f.metric
    ON CONFLICT (customer_id, run_id, payer_id, cpt_group_id, metric) DO UPDATE SET
        direction = excluded.direction,
        sufficient = excluded.sufficient,
        drifted = excluded.drifted,
        may_open = excluded.may_open,
        is_look = excluded.is_look,
        frozen_alert_id = excluded.frozen_alert_id,
        baseline_start = excluded.baseline_start,
        baseline_end = excluded.baseline_end,
        current_start = excluded.current_start,
        current_end = excluded.current_end,
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
        phi_own = excluded.phi_own,
        phi_prior = excluded.phi_prior,
        d0 = excluded.d0,
        nu = excluded.nu,
        windows = excluded.windows,
        window_days = excluded.window_days,
        dispersion = excluded.dispersion,
        z = excluded.z,
        p_value = excluded.p_value,
        q_value = excluded.q_value,
        severity = excluded.severity,
        confidence = excluded.confidence,
        baseline_days = excluded.baseline_days,
        baseline_counts = excluded.baseline_counts,
        strata = excluded.strata
    -- A repeated run writes nothing where nothing changed.
    WHERE to_jsonb(d) - 'id' IS DISTINCT FROM to_jsonb(excluded) - 'id';
END;
$function$;

COMMENT ON FUNCTION drift.record_measurements(bigint, bigint, date) IS
'Makes the measurements of a run equal to drift.examine as of p_as_of, touching only rows that differ. The caller, drift.detect, holds the customer''s lock.';

REVOKE ALL ON FUNCTION drift.record_measurements(bigint, bigint, date) FROM public;
