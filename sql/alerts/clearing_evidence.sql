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
            a.*,
            (p_as_of - a.episode_as_of) / 7 AS whole_weeks,
            least(greatest(share.p0, 0.002), 0.998) AS p0,
            least(greatest(share.p0 + a.opening_share_delta / 2, 0.002), 0.998) AS pa
        FROM public.alert AS a
        CROSS JOIN LATERAL (
            SELECT a.baseline_x / a.baseline_n::double precision AS p0
        ) AS share
        WHERE a.customer_id = p_customer_id AND a.status IN ('open', 'acknowledged')
    ),

    weekly AS (
        SELECT
            l.id,
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
        GROUP BY l.id, week
    ),

    cumulated AS (
        SELECT
            l.id,
            w.week,
            sum(
                (w.x * ln(l.p0 / l.pa) + (w.n - w.x) * ln((1 - l.p0) / (1 - l.pa)))
                / l.baseline_dispersion
            ) OVER (PARTITION BY l.id ORDER BY w.week) AS upto
        FROM live AS l
        JOIN weekly AS w USING (id)
    )

    SELECT
        l.id,
        l.whole_weeks,
        coalesce(
            (SELECT c.upto FROM cumulated AS c WHERE c.id = l.id ORDER BY c.week DESC LIMIT 1)
            - least(0, (SELECT min(c.upto) FROM cumulated AS c WHERE c.id = l.id)),
            0
        )
    FROM live AS l
    ORDER BY l.id;
END;
$function$;

COMMENT ON FUNCTION alerts.clearing_evidence(bigint, date) IS
'For each live alert, how strongly the whole weeks since its episode began speak for a return to the frozen baseline rather than a stay half-way to the alerted level: the natural log of the odds, as a CUSUM (Page 1954) of weekly log likelihood ratios divided by the frozen dispersion. Weeks without decisions say nothing.';

REVOKE ALL ON FUNCTION alerts.clearing_evidence(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION alerts.clearing_evidence(bigint, date)
TO claimdrift_tenant, claimdrift_platform;
