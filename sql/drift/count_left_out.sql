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
    episode AS (
        -- An alert that is over: from its opening window until it was resolved. (The level of a
        -- new normal is what the baseline is to hold.)
        SELECT a.payer_id, a.cpt_group_id, a.metric, a.window_start AS first_day,
            a.resolved_as_of - 1 AS last_day
        FROM public.alert AS a
        WHERE
            a.customer_id = p_customer_id AND a.resolved_as_of < p_as_of AND NOT a.new_normal
        UNION ALL
        -- One that was reopened by this very day's run: as that run saw it.
        SELECT a.payer_id, a.cpt_group_id, a.metric, a.window_start, a.former_resolved_as_of - 1
        FROM public.alert AS a
        WHERE a.customer_id = p_customer_id AND a.episode_as_of >= p_as_of
            AND a.former_resolved_as_of < p_as_of
        UNION ALL
        -- One whose level a user has declared normal: all that was before it.
        SELECT a.payer_id, a.cpt_group_id, a.metric, '-infinity'::date, a.opened_as_of - 1
        FROM public.alert AS a
        WHERE a.customer_id = p_customer_id AND a.resolved_as_of < p_as_of AND a.new_normal
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
