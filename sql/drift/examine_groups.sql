CREATE OR REPLACE FUNCTION drift.examine_groups(
    p_customer_id bigint,
    p_as_of date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    metric text,
    frozen_alert_id bigint,
    baseline_start date,
    baseline_end date,
    rolling_n bigint,
    latest_n bigint,
    latest_x bigint,
    phi double precision,
    sufficient boolean,
    window_days int,
    baseline_n bigint,
    baseline_x bigint,
    current_n bigint,
    current_x bigint,
    baseline_value double precision,
    current_value double precision,
    has_effect boolean,
    is_tied boolean,
    z double precision,
    dispersion double precision,
    p_value double precision,
    phi_own double precision,
    phi_prior double precision,
    d0 double precision,
    nu double precision,
    windows jsonb,
    baseline_days int[],
    baseline_counts bigint[]
)
LANGUAGE plpgsql
STABLE
ROWS 1000
AS $function$
DECLARE
    v_settings public.drift_settings;
    v_is_tested boolean;
    v_baseline_start date;
    v_baseline_end date;
    v_window_days int[];
    v_weights double precision[];
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    v_settings := drift.settings_of(p_customer_id => p_customer_id);
    v_is_tested := v_settings.method = 'significance';
    SELECT b.baseline_start, b.baseline_end
    INTO v_baseline_start, v_baseline_end
    FROM drift.choose_baseline(p_customer_id => p_customer_id, p_as_of => p_as_of) AS b;
    SELECT array_agg(w.days ORDER BY w.days), array_agg(w.weight ORDER BY w.days)
    INTO v_window_days, v_weights
    FROM drift.window_weights(
        p_guard_days => CASE WHEN v_is_tested THEN p_as_of - v_baseline_end - 1 END
    ) AS w;

    RETURN QUERY
    WITH
    frozen AS MATERIALIZED (
        SELECT *
        FROM drift.live_baselines(p_customer_id => p_customer_id, p_as_of => p_as_of)
    ),

    observed AS MATERIALIZED (
        SELECT
            r.payer_id,
            r.cpt_group_id,
            'DENIAL_RATE' AS metric,
            r.frozen_alert_id,
            r.rolling_n,
            r.baseline_n AS n0,
            r.baseline_x AS x0,
            r.current_n AS n1,
            r.current_x AS x1,
            r.cells,
            r.phi_own,
            r.baseline_n / greatest(
                r.baseline_x::double precision * (r.baseline_n - r.baseline_x)
                / nullif(r.baseline_n::double precision ^ 2, 0),
                0.001
            ) AS size,
            r.cell_x >= 2 * r.cells[1] AS tells,
            NULL::double precision AS median0,
            NULL::double precision AS median1,
            NULL::double precision AS surplus,
            NULL::double precision AS spread,
            NULL::int[] AS days,
            NULL::bigint[] AS day_counts
        FROM drift.observe_rates(
            p_customer_id => p_customer_id,
            p_as_of => p_as_of,
            p_baseline_start => v_baseline_start,
            p_baseline_end => v_baseline_end
        ) AS r
        UNION ALL
        SELECT
            d.payer_id,
            d.cpt_group_id,
            'DECISION_DAYS',
            d.frozen_alert_id,
            NULL,
            d.baseline_n,
            d.baseline_x,
            ARRAY[d.current_n],
            ARRAY[d.current_x],
            ARRAY[d.cells],
            ARRAY[d.phi_own],
            d.baseline_n,
            d.cell_n >= 30 * d.cells,
            d.baseline_median,
            d.current_median,
            d.surplus,
            d.spread,
            d.days,
            d.baseline_counts
        FROM drift.observe_days(
            p_customer_id => p_customer_id,
            p_as_of => p_as_of,
            p_baseline_start => v_baseline_start,
            p_baseline_end => v_baseline_end,
            p_min_volume => v_settings.min_volume,
            p_with_dispersion => v_is_tested
        ) AS d
    ),

    -- What the customer's other groups say about a group's dispersion.
    member AS MATERIALIZED (
        SELECT
            o.payer_id,
            o.cpt_group_id,
            o.metric,
            o.cells,
            o.phi_own,
            o.size,
            o.tells,
            row_number() OVER (PARTITION BY o.metric ORDER BY o.payer_id, o.cpt_group_id) AS number
        FROM observed AS o
        WHERE v_is_tested AND o.frozen_alert_id IS NULL AND o.n0 >= v_settings.min_volume
    ),

    placed AS MATERIALIZED (
        SELECT
            m.*,
            p.bin,
            p.members,
            p.phi_prior,
            p.d0
        FROM (
            SELECT
                i.metric,
                array_agg(i.size ORDER BY i.number) AS sizes,
                array_agg(i.phi_own[1] ORDER BY i.number) AS dispersions,
                array_agg(coalesce(i.cells[1], 1) - 1 ORDER BY i.number)::double precision[] AS dfs,
                array_agg(i.tells ORDER BY i.number) AS tell
            FROM member AS i
            GROUP BY i.metric
        ) AS a
        CROSS JOIN LATERAL stats.prior_dispersion(
            p_sizes => a.sizes, p_dispersions => a.dispersions, p_dfs => a.dfs, p_tell => a.tell
        ) AS p
        JOIN member AS m ON m.metric = a.metric AND m.number = p.number
    ),

    -- How much more than fortnights do whole months, or two of them, vary?
    prior AS (
        SELECT
            p.metric,
            p.bin,
            p.members,
            p.phi_prior,
            p.d0,
            ARRAY[
                1,
                greatest(
                    1,
                    percentile_cont(0.5) WITHIN GROUP (
                        ORDER BY p.phi_own[2] / stats.dispersion_median(p_df => p.cells[2] - 1)
                    ) / p.phi_prior
                ),
                greatest(
                    1,
                    percentile_cont(0.5) WITHIN GROUP (
                        ORDER BY p.phi_own[3] / stats.dispersion_median(p_df => p.cells[3] - 1)
                    ) / p.phi_prior
                )
            ] AS ratios
        FROM placed AS p
        GROUP BY p.metric, p.bin, p.members, p.phi_prior, p.d0
    ),

    moderated AS (
        SELECT
            o.*,
            coalesce(f.baseline_start, v_baseline_start) AS start0,
            coalesce(f.baseline_end, v_baseline_end) AS end0,
            CASE WHEN f.alert_id IS NULL THEN o.phi_own[1] END AS own,
            CASE WHEN f.alert_id IS NULL THEN coalesce(p.phi_prior, 1) END AS prior,
            CASE WHEN f.alert_id IS NULL THEN coalesce(p.d0, 0) END AS prior_df,
            CASE WHEN f.alert_id IS NULL THEN p.ratios END AS ratios,
            coalesce(f.nu, greatest(4, coalesce(o.cells[1], 1) - 1 + coalesce(p.d0, 0))) AS df,
            coalesce(
                f.dispersion,
                stats.moderated_dispersion(
                    p_own => o.phi_own[1],
                    p_df => o.cells[1] - 1,
                    p_prior => coalesce(p.phi_prior, 1),
                    p_prior_df => coalesce(p.d0, 0),
                    p_members => p.members
                )
            ) AS dispersion
        FROM observed AS o
        LEFT JOIN frozen AS f ON f.alert_id = o.frozen_alert_id
        LEFT JOIN placed AS m
            ON
                m.payer_id = o.payer_id
                AND m.cpt_group_id = o.cpt_group_id
                AND m.metric = o.metric
        -- Groups too small to be tested, which count for their payer only, are like the smallest.
        LEFT JOIN prior AS p ON p.metric = o.metric AND p.bin = coalesce(m.bin, 1)
    ),

    windowed AS (
        SELECT
            m.*,
            w.number,
            v_window_days[w.number] AS window_days,
            CASE WHEN m.metric = 'DENIAL_RATE' THEN v_weights[w.number] ELSE 1 END AS weight,
            w.n,
            w.x,
            m.dispersion * coalesce(m.ratios[w.number], 1) AS window_phi,
            CASE m.metric
                WHEN 'DENIAL_RATE' THEN m.x0::double precision / nullif(m.n0, 0)
                ELSE m.median0
            END AS value0,
            CASE m.metric
                WHEN 'DENIAL_RATE' THEN w.x::double precision / nullif(w.n, 0)
                ELSE m.median1
            END AS value1,
            m.n0 >= v_settings.min_volume
            AND w.n >= v_settings.min_volume
            -- A live alert is followed in the shortest window that has enough lines.
            AND (
                m.frozen_alert_id IS NULL
                OR w.number = 1
                OR NOT v_settings.min_volume <= ANY(m.n1[1:w.number - 1])
            ) AS is_used
        FROM moderated AS m
        CROSS JOIN LATERAL unnest(m.n1, m.x1) WITH ORDINALITY AS w (n, x, number)
        WHERE w.number <= cardinality(v_window_days)
    ),

    -- Each step materialized, or the tests would be computed once for every mention.
    changed AS MATERIALIZED (
        SELECT
            w.*,
            w.is_used AND coalesce(
                drift.has_effect(
                    p_settings => v_settings,
                    p_metric => w.metric,
                    p_delta => w.value1 - w.value0,
                    p_relative_delta => (w.value1 - w.value0) / nullif(w.value0, 0)
                ),
                false
            ) AS has_effect,
            CASE
                WHEN NOT v_is_tested OR NOT w.is_used THEN NULL
                WHEN w.metric = 'DENIAL_RATE'
                    THEN
                        stats.two_proportion_score(
                            p_x1 => w.x::int, p_n1 => w.n::int, p_x2 => w.x0::int, p_n2 => w.n0::int
                        )
                ELSE
                    stats.rank_sum_z(
                        p_surplus => w.surplus, p_spread => w.spread, p_n1 => w.n, p_n2 => w.n0
                    )
            END / sqrt(w.window_phi) AS z,
            (w.x0 + w.x)::double precision / nullif(w.n0 + w.n, 0) AS pooled
        FROM windowed AS w
    ),

    tested AS MATERIALIZED (
        SELECT
            c.*,
            stats.student_p(p_z => c.z, p_df => c.df) AS p_t,
            -- Both tails lie where few denials, or few payments, are expected.
            CASE
                WHEN
                    c.metric = 'DENIAL_RATE'
                    AND c.z IS NOT NULL
                    AND least(c.n, c.n0) * least(c.pooled, 1 - c.pooled) / c.window_phi < 10
                    THEN
                        stats.effective_fisher(
                            p_x1 => c.x,
                            p_n1 => c.n,
                            p_x2 => c.x0,
                            p_n2 => c.n0,
                            p_dispersion => c.window_phi
                        )
            END AS p_fisher
        FROM changed AS c
    ),

    combined AS MATERIALIZED (
        SELECT
            t.*,
            -- Without the effect there is nothing to find, and nothing to test.
            CASE
                WHEN NOT v_is_tested OR NOT t.is_used THEN NULL
                WHEN t.has_effect
                    THEN
                        least(
                            1,
                            greatest(t.p_t, t.p_fisher)
                            / t.weight * sum(t.weight) FILTER (WHERE t.is_used) OVER same_group
                        )
                ELSE 1
            END AS p_combined
        FROM tested AS t
        WINDOW same_group AS (PARTITION BY t.metric, t.payer_id, t.cpt_group_id)
    ),

    ranked AS (
        SELECT
            c.*,
            row_number() OVER (
                PARTITION BY c.metric, c.payer_id, c.cpt_group_id
                ORDER BY c.is_used DESC, c.p_combined, c.number
            ) AS place,
            jsonb_agg(
                drift.window_test(
                    p_days => c.window_days,
                    p_weight => c.weight,
                    p_x => c.x,
                    p_n => c.n,
                    p_delta => c.value1 - c.value0,
                    p_has_effect => c.has_effect,
                    p_phi => c.window_phi,
                    p_z => c.z,
                    p_p_t => c.p_t,
                    p_p_fisher => c.p_fisher,
                    p_p_combined => c.p_combined
                )
            ) OVER (
                PARTITION BY c.metric, c.payer_id, c.cpt_group_id
                ORDER BY c.number
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) AS windows
        FROM combined AS c
    )

    SELECT
        r.payer_id,
        r.cpt_group_id,
        r.metric,
        r.frozen_alert_id,
        r.start0,
        r.end0,
        r.rolling_n,
        r.n1[1],
        r.x1[1],
        r.dispersion,
        r.is_used,
        r.window_days,
        r.n0,
        r.x0,
        r.n,
        r.x,
        r.value0,
        r.value1,
        r.has_effect,
        r.metric = 'DECISION_DAYS' AND r.spread IS NOT DISTINCT FROM 0,
        r.z,
        CASE WHEN r.z IS NOT NULL THEN r.window_phi END,
        r.p_combined,
        CASE WHEN r.z IS NOT NULL THEN r.own END,
        CASE WHEN r.z IS NOT NULL THEN r.prior END,
        CASE WHEN r.z IS NOT NULL THEN r.prior_df END,
        CASE WHEN r.z IS NOT NULL THEN r.df END,
        r.windows,
        r.days,
        r.day_counts
    FROM ranked AS r
    WHERE r.place = 1;
END;
$function$;

COMMENT ON FUNCTION drift.examine_groups(bigint, date) IS
'Tests every payer x CPT group of a customer as of a day, each by itself: its own and its moderated dispersion (phi, of 14 days), every window''s test as a JSON object, and the winning window''s figures with the combined p_value; is_tied: all lines took the same number of days. rolling_n: lines in the baseline also where it is frozen; latest_n and latest_x: lines and denials of the last 14 days. The first half of drift.examine, which judges the groups together.';

REVOKE ALL ON FUNCTION drift.examine_groups(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.examine_groups(bigint, date)
TO claimdrift_tenant, claimdrift_platform;
