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
LANGUAGE plpgsql
STABLE
ROWS 1000
AS $function$
DECLARE
    v_settings public.drift_settings;
    v_baseline_start date;
    v_baseline_end date;
    v_window_days CONSTANT int := 14;
    v_current_start CONSTANT date := p_as_of - v_window_days;
    v_current_end CONSTANT date := p_as_of - 1;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    v_settings := drift.settings_of(p_customer_id => p_customer_id);
    SELECT b.baseline_start, b.baseline_end
    INTO v_baseline_start, v_baseline_end
    FROM drift.choose_baseline(p_customer_id => p_customer_id, p_as_of => p_as_of) AS b;

    RETURN QUERY
    WITH
    counted AS MATERIALIZED (
        SELECT *
        FROM drift.count_lines(
            p_customer_id => p_customer_id,
            p_baseline_start => v_baseline_start,
            p_baseline_end => v_baseline_end,
            p_current_start => v_current_start,
            p_current_end => v_current_end
        )
    ),

    left_out AS MATERIALIZED (
        SELECT *
        FROM drift.count_left_out(
            p_customer_id => p_customer_id,
            p_as_of => p_as_of,
            p_baseline_start => v_baseline_start,
            p_baseline_end => v_baseline_end
        )
    ),

    frozen AS MATERIALIZED (
        SELECT *
        FROM drift.frozen_baselines(p_customer_id => p_customer_id, p_as_of => p_as_of)
    ),

    -- Volumes first: only groups with enough lines go on to medians and ranks.
    volume AS MATERIALIZED (
        SELECT
            g.payer_id,
            g.cpt_group_id,
            k.metric,
            f.alert_id,
            coalesce(f.baseline_start, v_baseline_start) AS baseline_start,
            coalesce(f.baseline_end, v_baseline_end) AS baseline_end,
            coalesce(f.baseline_n, g.baseline_n - coalesce(o.lines, 0)) AS n0,
            coalesce(f.baseline_x, g.baseline_denied - coalesce(o.denied, 0)) AS x0,
            g.current_n AS n1,
            g.current_denied AS x1
        FROM (
            SELECT
                c.payer_id,
                c.cpt_group_id,
                coalesce(sum(c.lines) FILTER (WHERE NOT c.is_current), 0)::bigint AS baseline_n,
                coalesce(sum(c.denied) FILTER (WHERE NOT c.is_current), 0)::bigint
                    AS baseline_denied,
                coalesce(sum(c.lines) FILTER (WHERE c.is_current), 0)::bigint AS current_n,
                coalesce(sum(c.denied) FILTER (WHERE c.is_current), 0)::bigint AS current_denied
            FROM (
                SELECT d.payer_id, d.cpt_group_id, d.is_current, d.lines, d.denied
                FROM counted AS d
                UNION ALL
                -- A group with a live alert whose payer fell silent: insufficient, but not gone.
                SELECT f.payer_id, f.cpt_group_id, true, 0, 0
                FROM frozen AS f
            ) AS c
            GROUP BY c.payer_id, c.cpt_group_id
        ) AS g
        CROSS JOIN (VALUES ('DENIAL_RATE'), ('DECISION_DAYS')) AS k (metric)
        LEFT JOIN frozen AS f USING (payer_id, cpt_group_id, metric)
        LEFT JOIN (
            SELECT
                l.payer_id,
                l.cpt_group_id,
                l.metric,
                sum(l.lines)::bigint AS lines,
                sum(l.denied)::bigint AS denied
            FROM left_out AS l
            GROUP BY l.payer_id, l.cpt_group_id, l.metric
        ) AS o USING (payer_id, cpt_group_id, metric)
    ),

    enough AS (
        SELECT *
        FROM volume AS v
        WHERE v.n0 >= v_settings.min_volume AND v.n1 >= v_settings.min_volume
    ),

    -- Decision days of the groups with enough lines, as histograms: one row per distinct number.
    histogram AS MATERIALIZED (
        SELECT
            e.payer_id,
            e.cpt_group_id,
            e.n0,
            e.n1,
            h.days,
            sum(h.baseline)::bigint AS baseline,
            sum(h.current)::bigint AS current
        FROM enough AS e
        JOIN (
            SELECT
                c.payer_id, c.cpt_group_id, c.days, c.is_current, NULL::bigint AS alert_id,
                CASE WHEN c.is_current THEN 0 ELSE c.lines END AS baseline,
                CASE WHEN c.is_current THEN c.lines ELSE 0 END AS current
            FROM counted AS c
            UNION ALL
            SELECT l.payer_id, l.cpt_group_id, l.days, false, NULL, -l.lines, 0
            FROM left_out AS l
            WHERE l.metric = 'DECISION_DAYS'
            UNION ALL
            SELECT f.payer_id, f.cpt_group_id, b.days, false, f.alert_id, b.lines, 0
            FROM frozen AS f
            CROSS JOIN LATERAL unnest(f.baseline_days, f.baseline_counts) AS b (days, lines)
        ) AS h
            ON
                h.payer_id = e.payer_id
                AND h.cpt_group_id = e.cpt_group_id
                AND (h.is_current OR h.alert_id IS NOT DISTINCT FROM e.alert_id)
        WHERE e.metric = 'DECISION_DAYS'
        GROUP BY e.payer_id, e.cpt_group_id, e.n0, e.n1, h.days
        HAVING sum(h.baseline) + sum(h.current) > 0
    ),

    -- A median is the mean of the two middle lines, which are one where their number is odd.
    median AS MATERIALIZED (
        SELECT
            h.payer_id,
            h.cpt_group_id,
            (
                min(h.days) FILTER (WHERE h.baseline_upto >= (h.n0 + 1) / 2)
                + min(h.days) FILTER (WHERE h.baseline_upto >= h.n0 / 2 + 1)
            ) / 2.0::double precision AS baseline,
            (
                min(h.days) FILTER (WHERE h.current_upto >= (h.n1 + 1) / 2)
                + min(h.days) FILTER (WHERE h.current_upto >= h.n1 / 2 + 1)
            ) / 2.0::double precision AS current,
            -- The two sums that Mann-Whitney's z is made of: see stats.rank_sum_z.
            sum(h.current::double precision * (2 * h.baseline_upto - h.baseline - h.n0))
                AS surplus,
            sum(
                (h.baseline + h.current)::double precision
                * (h.n0 + h.n1 - h.baseline - h.current)
                * (h.n0 + h.n1 + h.baseline + h.current)
            ) AS spread
        FROM (
            SELECT
                i.*,
                sum(i.baseline) OVER so_far AS baseline_upto,
                sum(i.current) OVER so_far AS current_upto
            FROM histogram AS i
            WINDOW so_far AS (PARTITION BY i.payer_id, i.cpt_group_id ORDER BY i.days)
        ) AS h
        GROUP BY h.payer_id, h.cpt_group_id
    ),

    decision_days AS (
        SELECT
            h.payer_id,
            h.cpt_group_id,
            m.baseline AS baseline_median,
            m.current AS current_median,
            m.surplus,
            m.spread,
            coalesce(sum(h.baseline) FILTER (WHERE h.days > m.baseline), 0)::bigint
                AS baseline_slower,
            coalesce(sum(h.current) FILTER (WHERE h.days > m.baseline), 0)::bigint
                AS current_slower,
            array_agg(h.days ORDER BY h.days) AS days,
            array_agg(h.baseline ORDER BY h.days) AS baseline,
            array_agg(h.current ORDER BY h.days) AS current
        FROM histogram AS h
        JOIN median AS m USING (payer_id, cpt_group_id)
        GROUP BY h.payer_id, h.cpt_group_id, m.baseline, m.current, m.surplus, m.spread
    ),

    valued AS (
        SELECT
            v.*,
            v.x0::double precision / nullif(v.n0, 0) AS value0,
            v.x1::double precision / nullif(v.n1, 0) AS value1,
            NULL::double precision AS surplus,
            NULL::double precision AS spread,
            NULL::int[] AS days,
            NULL::bigint[] AS baseline,
            NULL::bigint[] AS current
        FROM volume AS v
        WHERE v.metric = 'DENIAL_RATE'
        UNION ALL
        SELECT
            v.payer_id, v.cpt_group_id, v.metric, v.alert_id, v.baseline_start, v.baseline_end,
            v.n0, d.baseline_slower, v.n1, d.current_slower, d.baseline_median, d.current_median,
            d.surplus, d.spread, d.days, d.baseline, d.current
        FROM volume AS v
        LEFT JOIN decision_days AS d USING (payer_id, cpt_group_id)
        WHERE v.metric = 'DECISION_DAYS'
    ),

    changed AS (
        SELECT
            v.*,
            v.n0 >= v_settings.min_volume AND v.n1 >= v_settings.min_volume AS is_sufficient,
            v.value1 - v.value0 AS change,
            (v.value1 - v.value0) / nullif(v.value0, 0) AS relative_change
        FROM valued AS v
    ),

    effective AS (
        SELECT
            c.*,
            c.is_sufficient AND coalesce(
                drift.has_effect(
                    p_settings => v_settings,
                    p_metric => c.metric,
                    p_delta => c.change,
                    p_relative_delta => c.relative_change
                ),
                false
            ) AS has_effect,
            CASE
                WHEN NOT c.is_sufficient OR v_settings.method <> 'significance' THEN NULL
                WHEN c.metric = 'DECISION_DAYS'
                    THEN
                        stats.rank_sum_z(
                            p_surplus => c.surplus, p_spread => c.spread, p_n1 => c.n1, p_n2 => c.n0
                        )
                ELSE
                    stats.two_proportion_score(
                        p_x1 => c.x1::int, p_n1 => c.n1::int, p_x2 => c.x0::int, p_n2 => c.n0::int
                    )
            END AS z
        FROM changed AS c
    ),

    tested AS (
        SELECT
            e.*,
            -- Without the effect there is nothing to find, and nothing to test.
            CASE
                WHEN e.has_effect
                    THEN
                        drift.p_value(
                            p_metric => e.metric,
                            p_z => e.z,
                            p_x1 => e.x1,
                            p_n1 => e.n1,
                            p_x0 => e.x0,
                            p_n0 => e.n0
                        )
                ELSE 1
            END AS p,
            row_number() OVER (
                PARTITION BY e.is_sufficient AND e.alert_id IS NULL
                ORDER BY e.payer_id, e.cpt_group_id, e.metric
            ) AS family_number
        FROM effective AS e
    ),

    family AS (
        SELECT
            q.number,
            q.q_value
        FROM unnest(
            stats.benjamini_hochberg(
                (
                    SELECT coalesce(array_agg(t.p ORDER BY t.family_number), '{}')
                    FROM tested AS t
                    WHERE t.is_sufficient AND t.alert_id IS NULL
                )
            )
        ) WITH ORDINALITY AS q (q_value, number)
        WHERE v_settings.method = 'significance'
    ),

    judged AS (
        SELECT
            t.*,
            -- A group with a live alert is measured against a baseline of its own, outside the
            -- family that competes for new alerts.
            CASE WHEN t.alert_id IS NULL THEN f.q_value ELSE t.p END AS q,
            i.low,
            i.high
        FROM tested AS t
        LEFT JOIN family AS f
            ON t.is_sufficient AND t.alert_id IS NULL AND f.number = t.family_number
        LEFT JOIN LATERAL stats.newcombe_interval(
            p_x1 => t.x1::int,
            p_n1 => t.n1::int,
            p_x2 => t.x0::int,
            -- NULL: no interval. A condition on the join would be checked after the call.
            p_n2 => CASE WHEN t.metric = 'DENIAL_RATE' AND t.z IS NOT NULL THEN t.n0::int END
        ) AS i ON true
    )

    SELECT
        j.payer_id,
        j.cpt_group_id,
        j.metric,
        j.is_sufficient,
        j.n0,
        j.n1,
        j.value0,
        j.value1,
        j.change,
        j.relative_change,
        j.low,
        j.high,
        j.z,
        CASE WHEN j.is_sufficient THEN 1::double precision END,
        v_window_days,
        CASE WHEN j.is_sufficient AND v_settings.method = 'significance' THEN j.p END,
        CASE WHEN j.is_sufficient AND v_settings.method = 'significance' THEN j.q END,
        v.drifted,
        CASE
            WHEN j.is_sufficient
                THEN drift.severity(v_settings.method, j.metric, j.change, j.relative_change)
        END,
        CASE
            WHEN NOT j.is_sufficient THEN NULL
            WHEN v_settings.method = 'significance' THEN 1 - j.q
            ELSE least(1, (j.n0 + j.n1) / (4 * v_settings.min_volume::double precision))
        END,
        CASE sign(j.change) WHEN 1 THEN 'up' WHEN -1 THEN 'down' END,
        j.x0,
        j.x1,
        j.baseline_start,
        j.baseline_end,
        v_current_start,
        v_current_end,
        j.alert_id,
        CASE WHEN v.drifted THEN j.days END,
        CASE WHEN v.drifted THEN j.baseline END
    FROM judged AS j
    CROSS JOIN LATERAL (
        SELECT
            j.has_effect
            AND (
                v_settings.method = 'threshold' OR j.q <= v_settings.false_discovery_rate
            ) AS drifted
    ) AS v
    ORDER BY j.payer_id, j.cpt_group_id, j.metric;
END;
$function$;

COMMENT ON FUNCTION drift.measure(bigint, date) IS
'Measures every payer x CPT group of a customer as of a day (exclusive) and writes nothing: one row per group and metric. Rates are shares of 1, DECISION_DAYS values medians in days, dates inclusive; x counts denied lines, or for DECISION_DAYS those slower than the baseline''s median. delta = current - baseline; relative_delta is NULL at baseline 0. Fewer than min_volume lines in either window: not sufficient, tests NULL. p_value is 1 where the change is below both effect minima; q_value is Benjamini-Hochberg''s over all sufficient groups without a live alert (frozen_alert_id NULL), else the p_value. Raises PD002 to PD004.';

REVOKE ALL ON FUNCTION drift.measure(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.measure(bigint, date) TO claimdrift_tenant, claimdrift_platform;
