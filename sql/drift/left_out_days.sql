CREATE OR REPLACE FUNCTION drift.left_out_days(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    metric text,
    is_current boolean,
    day date
)
LANGUAGE sql
STABLE
ROWS 100
AS $function$
    WITH
    -- As the day began: an alert that was reopened, or resolved, on this very day is left out as it
    -- was before, so that a repeated run measures the same.
    episode AS (
        SELECT
            a.payer_id,
            a.cpt_group_id,
            a.metric,
            a.window_start,
            a.opened_as_of,
            e.resolved_as_of,
            e.recovered_as_of,
            e.new_normal
        FROM public.alert AS a
        CROSS JOIN LATERAL (
            SELECT a.resolved_as_of, a.recovered_as_of, a.new_normal
            WHERE a.episode_as_of < p_as_of
            UNION ALL
            SELECT a.former_resolved_as_of, a.former_recovered_as_of, a.former_new_normal
            WHERE a.episode_as_of >= p_as_of
        ) AS e
        WHERE
            a.customer_id = p_customer_id
            AND a.metric <> 'SILENCE'
            AND (
                e.resolved_as_of < p_as_of
                -- While a payer as a whole drifts, none of it is normal for its groups.
                OR (
                    a.cpt_group_id IS NULL
                    AND (a.episode_as_of < p_as_of OR e.resolved_as_of >= p_as_of)
                )
            )
    ),

    stretch AS (
        SELECT
            e.payer_id,
            e.cpt_group_id,
            e.metric,
            false AS is_current,
            CASE WHEN e.new_normal THEN p_baseline_start ELSE e.window_start END AS first_day,
            CASE WHEN e.new_normal THEN e.opened_as_of ELSE e.resolved_as_of END - 1 AS last_day
        FROM episode AS e
        WHERE e.resolved_as_of < p_as_of
        UNION ALL
        SELECT e.payer_id, e.cpt_group_id, e.metric, false, e.window_start, p_baseline_end
        FROM episode AS e
        WHERE e.resolved_as_of IS NULL OR e.resolved_as_of >= p_as_of
        UNION ALL
        -- What was alerted and went away is no news: windows start anew with the recovery.
        SELECT e.payer_id, e.cpt_group_id, e.metric, true, p_as_of - 56, e.recovered_as_of - 15
        FROM episode AS e
        WHERE e.resolved_as_of < p_as_of AND e.recovered_as_of < p_as_of
    ),

    left_out AS (
        -- Stretches of one group may overlap; a day is left out once.
        SELECT DISTINCT
            s.payer_id,
            s.cpt_group_id,
            s.metric,
            s.is_current,
            d.day::date AS day
        FROM stretch AS s
        CROSS JOIN LATERAL generate_series(
            greatest(s.first_day, p_baseline_start)::timestamp,
            least(s.last_day, CASE WHEN s.is_current THEN p_as_of - 1 ELSE p_baseline_end END)
            ::timestamp,
            '1 day'
        ) AS d (day)
        -- greatest() and least() pass over NULL.
        WHERE p_baseline_start IS NOT NULL
    )

    SELECT
        l.payer_id,
        l.cpt_group_id,
        l.metric::text,
        l.is_current,
        l.day
    FROM left_out AS l
    WHERE
        l.cpt_group_id IS NULL
        OR NOT EXISTS (
            SELECT FROM left_out AS whole
            WHERE
                whole.cpt_group_id IS NULL
                AND whole.payer_id = l.payer_id
                AND whole.metric = l.metric
                AND whole.is_current = l.is_current
                AND whole.day = l.day
        );
$function$;

COMMENT ON FUNCTION drift.left_out_days(bigint, date, date, date) IS
'The days that a measurement as of p_as_of leaves out, per payer, group (NULL: all of the payer''s) and metric. Of the baseline: while an alert was live, from its opening window until it was resolved, and all before a level that a user declared the new normal. Of the current windows (is_current): all up to 15 days before the drift of a resolved alert was seen to be gone. No day is named twice for a group.';

REVOKE ALL ON FUNCTION drift.left_out_days(bigint, date, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.left_out_days(bigint, date, date, date)
TO claimdrift_tenant, claimdrift_platform;
