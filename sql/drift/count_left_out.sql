CREATE OR REPLACE FUNCTION drift.count_left_out(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    metric text,
    days int,
    lines bigint,
    denied bigint
)
LANGUAGE plpgsql
STABLE
ROWS 100
SET plan_cache_mode = force_custom_plan
AS $function$
BEGIN
    RETURN QUERY
    WITH
    ended AS (
        -- Alerts that were over as the day began: one that was reopened on this very day is left
        -- out as it was before.
        SELECT
            a.payer_id,
            a.cpt_group_id,
            a.metric,
            a.window_start,
            a.opened_as_of,
            episode.resolved_as_of,
            episode.new_normal
        FROM public.alert AS a
        CROSS JOIN LATERAL (
            SELECT a.resolved_as_of, a.new_normal
            WHERE a.episode_as_of < p_as_of
            UNION ALL
            SELECT a.former_resolved_as_of, a.former_new_normal
            WHERE a.episode_as_of >= p_as_of
        ) AS episode
        WHERE a.customer_id = p_customer_id AND episode.resolved_as_of < p_as_of
    ),

    episode AS (
        -- From an alert's opening window until it was resolved; all that was before it where a
        -- user declared its level the new normal.
        SELECT
            o.payer_id,
            o.cpt_group_id,
            o.metric,
            CASE WHEN o.new_normal THEN '-infinity' ELSE o.window_start END AS first_day,
            CASE WHEN o.new_normal THEN o.opened_as_of ELSE o.resolved_as_of END - 1 AS last_day
        FROM ended AS o
    ),

    day_of_group AS (
        -- Episodes of one group may overlap; a day is left out once.
        SELECT DISTINCT e.payer_id, e.cpt_group_id, e.metric, d.day::date AS day
        FROM episode AS e
        CROSS JOIN LATERAL generate_series(
            greatest(e.first_day, p_baseline_start)::timestamp,
            least(e.last_day, p_baseline_end)::timestamp,
            '1 day'
        ) AS d (day)
        -- greatest() and least() pass over NULL, and from -infinity the days would never end.
        WHERE p_baseline_start IS NOT NULL
    )

    SELECT
        g.payer_id,
        g.cpt_group_id,
        g.metric::text,
        c.first_decided_date - c.submitted_date,
        count(*),
        count(*) FILTER (WHERE c.first_outcome = 'DENIED')
    FROM day_of_group AS g
    JOIN public.claim AS c
        ON
            c.customer_id = p_customer_id
            AND c.first_decided_date = g.day
            AND c.payer_id = g.payer_id
            AND c.cpt_group_id = g.cpt_group_id
    GROUP BY 1, 2, 3, 4;
END;
$function$;

COMMENT ON FUNCTION drift.count_left_out(bigint, date, date, date) IS
'Of the lines in the baseline, those that a measurement as of p_as_of leaves out, per metric: decided while an alert on the same group and metric was live (from its opening window on), or before a level that a user declared the new normal.';

REVOKE ALL ON FUNCTION drift.count_left_out(bigint, date, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.count_left_out(bigint, date, date, date)
TO claimdrift_tenant, claimdrift_platform;
