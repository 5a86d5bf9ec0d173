CREATE OR REPLACE FUNCTION drift.measure(
    p_customer_id bigint,
    p_as_of date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    metric text,
    sufficient boolean,
    baseline_n bigint,
    current_n bigint,
    baseline_value double precision,
    current_value double precision,
    delta double precision,
    relative_delta double precision,
    ci_low double precision,
    ci_high double precision,
    z double precision,
    dispersion double precision,
    window_days int,
    p_value double precision,
    q_value double precision,
    drifted boolean,
    severity double precision,
    confidence double precision,
    direction text,
    baseline_x bigint,
    current_x bigint,
    baseline_start date,
    baseline_end date,
    current_start date,
    current_end date,
    frozen_alert_id bigint,
    baseline_days int[],
    baseline_counts bigint[]
)
LANGUAGE sql
STABLE
ROWS 1000
AS $function$
    SELECT
        e.payer_id,
        e.cpt_group_id,
        e.metric,
        e.sufficient,
        e.baseline_n,
        e.current_n,
        e.baseline_value,
        e.current_value,
        e.delta,
        e.relative_delta,
        e.ci_low,
        e.ci_high,
        e.z,
        e.dispersion,
        e.window_days,
        e.p_value,
        e.q_value,
        e.drifted,
        e.severity,
        e.confidence,
        e.direction,
        e.baseline_x,
        e.current_x,
        e.baseline_start,
        e.baseline_end,
        e.current_start,
        e.current_end,
        e.frozen_alert_id,
        e.baseline_days,
        e.baseline_counts
    FROM drift.examine(p_customer_id => p_customer_id, p_as_of => p_as_of) AS e;
$function$;

COMMENT ON FUNCTION drift.measure(bigint, date) IS
'Measures every payer x CPT group of a customer, and every payer as a whole (cpt_group_id NULL), as of a day (exclusive) and writes nothing: one row per group and metric, the figures of drift.examine without the steps between. Rates are shares of 1, DECISION_DAYS values medians in days, dates inclusive; x counts denied lines, or for DECISION_DAYS those slower than the baseline''s median. delta = current - baseline; relative_delta is NULL at baseline 0. Fewer than min_volume lines in the baseline or in each current window: not sufficient, tests NULL. Figures, z and dispersion are the winning window''s, p_value is combined over the windows and 1 where the change is below both effect minima, q_value is Benjamini-Hochberg''s. Raises PD002 to PD004.';

REVOKE ALL ON FUNCTION drift.measure(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.measure(bigint, date) TO claimdrift_tenant, claimdrift_platform;
