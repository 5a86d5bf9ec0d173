CREATE OR REPLACE FUNCTION drift.live_baselines(
    p_customer_id bigint,
    p_as_of date
)
RETURNS TABLE (
    alert_id bigint,
    payer_id bigint,
    cpt_group_id bigint,
    metric text,
    baseline_start date,
    baseline_end date,
    baseline_n bigint,
    baseline_x bigint,
    baseline_value double precision,
    baseline_days int[],
    baseline_counts bigint[],
    dispersion double precision,
    nu double precision,
    strata jsonb
)
LANGUAGE sql
STABLE
ROWS 10
AS $function$
    -- As the day began: an alert that this day's run opens, or resolves, doesn't change what a
    -- repeated run measures.
    SELECT DISTINCT ON (a.payer_id, a.cpt_group_id, a.metric)
        a.id,
        a.payer_id,
        a.cpt_group_id,
        a.metric::text,
        a.baseline_start,
        a.baseline_end,
        a.baseline_n,
        a.baseline_x,
        a.baseline_value,
        a.baseline_days,
        a.baseline_counts,
        a.baseline_dispersion,
        a.baseline_nu,
        a.baseline_strata
    FROM public.alert AS a
    WHERE
        a.customer_id = p_customer_id
        AND (
            a.episode_as_of < p_as_of AND (a.resolved_as_of IS NULL OR a.resolved_as_of >= p_as_of)
            -- Resolved and reopened on this very day.
            OR a.episode_as_of = p_as_of AND a.former_resolved_as_of = p_as_of
        )
    ORDER BY a.payer_id, a.cpt_group_id, a.metric, a.id;
$function$;

COMMENT ON FUNCTION drift.live_baselines(bigint, date) IS
'The baselines that were frozen when alerts opened, one per group and metric with an alert that was live before p_as_of (the oldest where both directions have one): what such a group, or payer as a whole (cpt_group_id NULL; strata: its groups'' baselines), is measured against.';

REVOKE ALL ON FUNCTION drift.live_baselines(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.live_baselines(bigint, date)
TO claimdrift_tenant, claimdrift_platform;
