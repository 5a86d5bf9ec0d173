CREATE OR REPLACE FUNCTION alerts.clearing_evidence(
    p_customer_id bigint,
    p_as_of date
)
RETURNS TABLE (
    alert_id bigint,
    weeks int,
    log_odds double precision
)
LANGUAGE plpgsql
STABLE
ROWS 10
SET plan_cache_mode = force_custom_plan
AS $function$
BEGIN
    RETURN QUERY
    WITH
    live AS MATERIALIZED (
        SELECT
            a.id,
            a.payer_id,
            a.metric,
            a.episode_as_of,
            a.baseline_value,
            (p_as_of - a.episode_as_of) / 7 AS whole_weeks,
            -- A payer as a whole returns when its groups do, each to its own level.
            s.cpt_group_id,
            s.dispersion,
            least(greatest(share.p0, 0.002), 0.998) AS p0,
            least(greatest(share.p0 + a.opening_share_delta / 2, 0.002), 0.998) AS pa
        FROM public.alert AS a
        CROSS JOIN LATERAL jsonb_to_recordset(
            coalesce(
                a.baseline_strata,
                jsonb_build_array(
                    jsonb_build_object(
                        'cpt_group_id', a.cpt_group_id,
                        'n', a.baseline_n,
                        'x', a.baseline_x,
                        'dispersion', a.baseline_dispersion
                    )
                )
            )
        ) AS s (cpt_group_id bigint, n bigint, x bigint, dispersion double precision)
        CROSS JOIN LATERAL (SELECT s.x / s.n::double precision AS p0) AS share
        WHERE
            a.customer_id = p_customer_id
            AND a.status IN ('open', 'acknowledged')
            AND a.metric <> 'SILENCE'
    ),

    weekly AS (
        SELECT
            l.id,
            l.cpt_group_id,
            (c.first_decided_date - l.episode_as_of) / 7 AS week,
            count(*)::double precision AS n,
            count(*) FILTER (
                WHERE CASE l.metric
                    WHEN 'DECISION_DAYS'
                        THEN c.first_decided_date - c.submitted_date > l.baseline_value
                    ELSE c.first_outcome = 'DENIED'
                END
            )::double precision AS x
        FROM live AS l
        JOIN public.claim AS c
            ON
                c.customer_id = p_customer_id
                AND c.payer_id = l.payer_id
                AND c.cpt_group_id = l.cpt_group_id
                AND c.first_decided_date >= l.episode_as_of
                AND c.first_decided_date < l.episode_as_of + 7 * l.whole_weeks
        WHERE
            c.first_decided_date >= (SELECT min(o.episode_as_of) FROM live AS o)
            AND c.first_decided_date < p_as_of
        GROUP BY l.id, l.cpt_group_id, week
    ),

    summed AS (
        SELECT
            l.id,
            w.week,
            sum(
                (w.x * ln(l.p0 / l.pa) + (w.n - w.x) * ln((1 - l.p0) / (1 - l.pa)))
                / l.dispersion
                ORDER BY l.cpt_group_id
            ) AS evidence
        FROM live AS l
        JOIN weekly AS w USING (id, cpt_group_id)
        GROUP BY l.id, w.week
    ),

    cumulated AS (
        SELECT
            s.id,
            s.week,
            sum(s.evidence) OVER (PARTITION BY s.id ORDER BY s.week) AS upto
        FROM summed AS s
    )

    SELECT
        l.id,
        l.whole_weeks,
        coalesce(
            (SELECT c.upto FROM cumulated AS c WHERE c.id = l.id ORDER BY c.week DESC LIMIT 1)
            - least(0, (SELECT min(c.upto) FROM cumulated AS c WHERE c.id = l.id)),
            0
        )
    FROM (SELECT DISTINCT i.id, i.whole_weeks FROM live AS i) AS l
    ORDER BY l.id;
END;
$function$;

COMMENT ON FUNCTION alerts.clearing_evidence(bigint, date) IS
'For each live alert but silences, how strongly the whole weeks since its episode began speak for a return to the frozen baseline rather than a stay half-way to the alerted level: the natural log of the odds, as a CUSUM (Page 1954) of weekly log likelihood ratios divided by the frozen dispersion; for a payer as a whole, summed over its groups. Weeks without decisions say nothing.';

REVOKE ALL ON FUNCTION alerts.clearing_evidence(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION alerts.clearing_evidence(bigint, date)
TO claimdrift_tenant, claimdrift_platform;
