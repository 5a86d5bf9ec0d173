CREATE OR REPLACE FUNCTION drift.examine(
    p_customer_id bigint,
    p_as_of date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    metric text,
    direction text,
    sufficient boolean,
    drifted boolean,
    may_open boolean,
    is_look boolean,
    frozen_alert_id bigint,
    baseline_start date,
    baseline_end date,
    current_start date,
    current_end date,
    baseline_n bigint,
    current_n bigint,
    baseline_x bigint,
    current_x bigint,
    baseline_value double precision,
    current_value double precision,
    delta double precision,
    relative_delta double precision,
    ci_low double precision,
    ci_high double precision,
    phi_own double precision,
    phi_prior double precision,
    d0 double precision,
    nu double precision,
    windows jsonb,
    window_days int,
    dispersion double precision,
    z double precision,
    p_value double precision,
    q_value double precision,
    severity double precision,
    confidence double precision,
    baseline_days int[],
    baseline_counts bigint[],
    strata jsonb
)
LANGUAGE plpgsql
STABLE
ROWS 1000
AS $function$
DECLARE
    v_settings public.drift_settings;
    v_is_tested boolean;
    v_is_look CONSTANT boolean := drift.is_look(p_customer_id => p_customer_id, p_as_of => p_as_of);
    v_baseline_start date;
    v_baseline_end date;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    v_settings := drift.settings_of(p_customer_id => p_customer_id);
    v_is_tested := v_settings.method = 'significance';
    SELECT b.baseline_start, b.baseline_end
    INTO v_baseline_start, v_baseline_end
    FROM drift.choose_baseline(p_customer_id => p_customer_id, p_as_of => p_as_of) AS b;

    RETURN QUERY
    WITH
    grouped AS MATERIALIZED (
        SELECT *
        FROM drift.examine_groups(p_customer_id => p_customer_id, p_as_of => p_as_of)
    ),

    live AS MATERIALIZED (
        SELECT *
        FROM drift.live_baselines(p_customer_id => p_customer_id, p_as_of => p_as_of) AS l
        WHERE l.cpt_group_id IS NULL
    ),

    -- The groups of each payer: as they are, or as they were when an alert on the payer opened.
    stratum AS MATERIALIZED (
        SELECT
            g.payer_id,
            g.cpt_group_id,
            NULL::bigint AS alert_id,
            g.baseline_n AS n0,
            g.baseline_x AS x0,
            g.latest_n AS n1,
            g.latest_x AS x1,
            g.phi
        FROM grouped AS g
        WHERE
            v_is_tested
            AND g.metric = 'DENIAL_RATE'
            AND g.baseline_n > 0
            AND NOT EXISTS (
                SELECT FROM live AS l
                WHERE l.payer_id = g.payer_id AND l.metric = 'DENIAL_RATE'
            )
        UNION ALL
        SELECT
            l.payer_id,
            s.cpt_group_id,
            l.alert_id,
            s.n,
            s.x,
            coalesce(g.latest_n, 0),
            coalesce(g.latest_x, 0),
            s.dispersion
        FROM live AS l
        CROSS JOIN LATERAL jsonb_to_recordset(l.strata)
            AS s (cpt_group_id bigint, n bigint, x bigint, dispersion double precision)
        LEFT JOIN grouped AS g
            ON
                g.payer_id = l.payer_id
                AND g.cpt_group_id = s.cpt_group_id
                AND g.metric = 'DENIAL_RATE'
        WHERE v_is_tested AND l.metric = 'DENIAL_RATE'
    ),

    strata AS (
        SELECT
            s.payer_id,
            s.alert_id,
            jsonb_agg(
                jsonb_build_object(
                    'cpt_group_id', s.cpt_group_id, 'n', s.n0, 'x', s.x0, 'dispersion', s.phi
                )
                ORDER BY s.cpt_group_id
            ) AS strata
        FROM stratum AS s
        GROUP BY s.payer_id, s.alert_id
    ),

    payer AS (
        SELECT
            p.*,
            s.alert_id,
            s.strata AS groups,
            p.baseline_x / p.baseline_n::double precision AS value0,
            p.current_x / nullif(p.current_n, 0)::double precision AS value1
        FROM (
            SELECT
                array_agg(i.payer_id ORDER BY i.payer_id, i.cpt_group_id) AS payer_ids,
                array_agg(i.n0 ORDER BY i.payer_id, i.cpt_group_id) AS n0,
                array_agg(i.x0 ORDER BY i.payer_id, i.cpt_group_id) AS x0,
                array_agg(i.n1 ORDER BY i.payer_id, i.cpt_group_id) AS n1,
                array_agg(i.x1 ORDER BY i.payer_id, i.cpt_group_id) AS x1,
                array_agg(i.phi ORDER BY i.payer_id, i.cpt_group_id) AS phi
            FROM stratum AS i
        ) AS a
        CROSS JOIN LATERAL drift.examine_payers(
            p_settings => v_settings,
            p_payer_ids => a.payer_ids,
            p_baseline_n => a.n0,
            p_baseline_x => a.x0,
            p_current_n => a.n1,
            p_current_x => a.x1,
            p_dispersions => a.phi
        ) AS p
        JOIN strata AS s USING (payer_id)
        -- A payer with one group is that group.
        WHERE p.strata > 1 OR s.alert_id IS NOT NULL
    ),

    volume AS (
        SELECT
            v.payer_id,
            v.n0,
            v.n1,
            sum(v.n1) OVER () > v.n1 AS others_decide,
            v.n0 * 14 >= v_settings.min_volume * (v_baseline_end - v_baseline_start + 1)
                AS is_regular
        FROM (
            SELECT
                g.payer_id,
                sum(g.rolling_n)::bigint AS n0,
                sum(g.latest_n)::bigint AS n1
            FROM grouped AS g
            WHERE g.metric = 'DENIAL_RATE'
            GROUP BY g.payer_id
        ) AS v
    ),

    -- Payers whose decisions should have come: those that decided enough, and those known silent.
    expected AS MATERIALIZED (
        SELECT
            coalesce(v.payer_id, l.payer_id) AS payer_id,
            coalesce(l.baseline_n, v.n0) AS n0,
            coalesce(v.n1, 0) AS n1,
            coalesce(v.others_decide, EXISTS (SELECT FROM volume AS o WHERE o.n1 > 0))
                AS others_decide,
            l.alert_id,
            l.baseline_start,
            l.baseline_end,
            l.baseline_value
        FROM volume AS v
        FULL JOIN (SELECT * FROM live AS i WHERE i.metric = 'SILENCE') AS l
            ON l.payer_id = v.payer_id
        WHERE v.is_regular OR l.alert_id IS NOT NULL
    ),

    silence AS (
        SELECT
            e.*,
            CASE WHEN e.n1 = 0 THEN coalesce(e.baseline_value, s.longest) END AS value0,
            s.present::double precision AS value1
        FROM expected AS e
        LEFT JOIN drift.silences(
            p_customer_id => p_customer_id,
            p_payer_ids => (SELECT array_agg(i.payer_id) FROM expected AS i WHERE i.n1 = 0),
            p_as_of => p_as_of,
            p_baseline_start => v_baseline_start,
            p_baseline_end => v_baseline_end
        ) AS s ON s.payer_id = e.payer_id
    ),

    tested AS MATERIALIZED (
        SELECT
            g.payer_id,
            g.cpt_group_id,
            g.metric,
            'group' AS family,
            g.sufficient,
            g.frozen_alert_id AS alert_id,
            g.baseline_start AS start0,
            g.baseline_end AS end0,
            g.window_days AS days1,
            g.baseline_n AS n0,
            g.current_n AS n1,
            g.baseline_x AS x0,
            g.current_x AS x1,
            g.baseline_value AS value0,
            g.current_value AS value1,
            g.has_effect,
            g.is_tied,
            g.phi_own AS own,
            g.phi_prior AS prior,
            g.d0 AS prior_df,
            g.nu AS df,
            g.windows AS tests,
            g.dispersion AS phi,
            g.z AS score,
            g.p_value AS p,
            CASE WHEN v_is_tested THEN v_settings.false_discovery_rate END AS q_limit,
            g.baseline_days AS days,
            g.baseline_counts AS day_counts,
            NULL::jsonb AS groups
        FROM grouped AS g
        UNION ALL
        SELECT
            p.payer_id, NULL, 'DENIAL_RATE', 'payer', p.sufficient, p.alert_id,
            coalesce(l.baseline_start, v_baseline_start), coalesce(l.baseline_end, v_baseline_end),
            14, p.baseline_n, p.current_n, p.baseline_x, p.current_x, p.value0, p.value1,
            p.has_effect, false, NULL, NULL, NULL, p.nu,
            jsonb_build_array(
                drift.window_test(
                    p_days => 14,
                    p_weight => 1,
                    p_x => p.current_x,
                    p_n => p.current_n,
                    p_delta => p.value1 - p.value0,
                    p_has_effect => p.has_effect,
                    p_phi => p.dispersion,
                    p_z => p.z,
                    p_p_t => p.p_t,
                    p_p_fisher => NULL,
                    p_p_combined => p.p_value
                )
            ),
            p.dispersion, p.z, p.p_value,
            -- One family more, and the rarer the better: it speaks for many groups.
            least(0.01, v_settings.false_discovery_rate),
            NULL, NULL, p.groups
        FROM payer AS p
        LEFT JOIN live AS l ON l.alert_id = p.alert_id
        UNION ALL
        SELECT
            s.payer_id, NULL, 'SILENCE', NULL, s.others_decide, s.alert_id,
            coalesce(s.baseline_start, v_baseline_start), coalesce(s.baseline_end, v_baseline_end),
            14, s.n0, s.n1, 0, 0, s.value0, s.value1,
            coalesce(s.others_decide AND s.value1 > s.value0, false), false,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM silence AS s
    ),

    -- Groups compete for new alerts. One with a live alert has a baseline of its own and stands
    -- outside; durations that are all the same leave nothing to test.
    numbered AS MATERIALIZED (
        SELECT
            t.*,
            row_number() OVER (
                PARTITION BY t.family, t.competes ORDER BY t.payer_id, t.cpt_group_id, t.metric
            ) AS number
        FROM (
            SELECT
                i.*,
                i.p IS NOT NULL AND i.alert_id IS NULL AND NOT i.is_tied AS competes
            FROM tested AS i
        ) AS t
    ),

    corrected AS (
        SELECT
            f.family,
            q.number,
            q.q
        FROM (
            SELECT
                n.family,
                array_agg(n.p ORDER BY n.number) AS p
            FROM numbered AS n
            WHERE n.competes
            GROUP BY n.family
        ) AS f
        CROSS JOIN LATERAL unnest(stats.benjamini_hochberg(p_values => f.p))
            WITH ORDINALITY AS q (q, number)
    ),

    judged AS (
        SELECT
            n.*,
            n.value1 - n.value0 AS change,
            (n.value1 - n.value0) / nullif(n.value0, 0) AS relative_change,
            f.q,
            -- Nothing to correct: the method without tests, and silence.
            n.has_effect AND (n.q_limit IS NULL OR f.q <= n.q_limit) AS is_drifted
        FROM numbered AS n
        LEFT JOIN corrected AS c ON n.competes AND c.family = n.family AND c.number = n.number
        CROSS JOIN LATERAL (SELECT CASE WHEN n.competes THEN c.q ELSE n.p END AS q) AS f
    )

    SELECT
        j.payer_id,
        j.cpt_group_id,
        j.metric,
        CASE sign(j.change) WHEN 1 THEN 'up' WHEN -1 THEN 'down' END,
        j.sufficient,
        j.is_drifted,
        j.is_drifted AND (v_is_look OR j.q_limit IS NULL OR j.q <= j.q_limit / 10),
        v_is_look,
        j.alert_id,
        j.start0,
        j.end0,
        p_as_of - j.days1,
        p_as_of - 1,
        j.n0,
        j.n1,
        j.x0,
        j.x1,
        j.value0,
        j.value1,
        j.change,
        j.relative_change,
        -- Newcombe's margins are for independent claims.
        CASE
            WHEN i.low IS NOT NULL THEN greatest(-1, j.change - (j.change - i.low) * sqrt(j.phi))
        END,
        CASE
            WHEN i.high IS NOT NULL THEN least(1, j.change + (i.high - j.change) * sqrt(j.phi))
        END,
        j.own,
        j.prior,
        j.prior_df,
        j.df,
        j.tests,
        j.days1,
        j.phi,
        j.score,
        j.p,
        j.q,
        CASE
            WHEN j.sufficient
                THEN
                    drift.severity(
                        p_method => v_settings.method,
                        p_metric => j.metric,
                        p_delta => j.change,
                        p_relative_delta => j.relative_change
                    )
        END,
        CASE
            WHEN NOT j.sufficient OR j.family IS NULL THEN NULL
            WHEN v_is_tested THEN 1 - j.q
            ELSE least(1, (j.n0 + j.n1) / (4 * v_settings.min_volume::double precision))
        END,
        CASE WHEN j.is_drifted THEN j.days END,
        CASE WHEN j.is_drifted THEN j.day_counts END,
        CASE WHEN j.is_drifted THEN j.groups END
    FROM judged AS j
    LEFT JOIN LATERAL stats.newcombe_interval(
        p_x1 => j.x1::int,
        p_n1 => j.n1::int,
        p_x2 => j.x0::int,
        -- NULL: no interval. A condition on the join would be checked after the call.
        p_n2 => CASE
            WHEN j.metric = 'DENIAL_RATE' AND j.family = 'group' AND j.score IS NOT NULL
                THEN j.n0::int
        END
    ) AS i ON true
    ORDER BY j.payer_id, j.cpt_group_id, j.metric;
END;
$function$;

COMMENT ON FUNCTION drift.examine(bigint, date) IS
'Measures a customer as of a day (exclusive) with every intermediate number, and writes nothing: one row per payer, group and metric (cpt_group_id NULL: the payer as a whole). Rates are shares of 1; DECISION_DAYS values are medians, those of SILENCE runs of days without a decision. phi_own, phi_prior (worth d0 degrees of freedom) and nu: own dispersion, the other groups'' and the degrees of freedom of the tests; dispersion, z and all figures are of the winning window, p_value is combined over windows, which holds each one''s test. q_value: Benjamini-Hochberg over the groups (payers as a whole apart) without a live alert (frozen_alert_id), else the p_value. may_open: drifted enough to open an alert on such a day (is_look). strata: the groups'' baselines of a payer that drifted. Raises PD002 to PD004.';

REVOKE ALL ON FUNCTION drift.examine(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.examine(bigint, date) TO claimdrift_tenant, claimdrift_platform;
