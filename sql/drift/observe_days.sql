CREATE OR REPLACE FUNCTION drift.observe_days(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date,
    p_min_volume bigint,
    p_with_dispersion boolean
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    frozen_alert_id bigint,
    baseline_n bigint,
    baseline_x bigint,
    current_n bigint,
    current_x bigint,
    baseline_median double precision,
    current_median double precision,
    surplus double precision,
    spread double precision,
    cells bigint,
    cell_n bigint,
    phi_own double precision,
    days int[],
    baseline_counts bigint[]
)
LANGUAGE plpgsql
STABLE
ROWS 1000
-- Small tables against large ones: to sort the large ones would take several times as long.
SET enable_mergejoin = off
SET plan_cache_mode = force_custom_plan
SET work_mem = '64MB'
AS $function$
DECLARE
    -- An incomplete oldest cell is dropped.
    v_first_day CONSTANT date := CASE
        WHEN p_with_dispersion
            THEN p_baseline_end + 1 - (p_baseline_end - p_baseline_start + 1) / 14 * 14
        ELSE p_baseline_end + 1
    END;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    RETURN QUERY
    WITH
    frozen AS MATERIALIZED (
        SELECT *
        FROM drift.live_baselines(p_customer_id => p_customer_id, p_as_of => p_as_of) AS f
        WHERE f.metric = 'DECISION_DAYS'
    ),

    counted AS MATERIALIZED (
        SELECT *
        FROM drift.count_days(
            p_customer_id => p_customer_id,
            p_as_of => p_as_of,
            p_baseline_start => p_baseline_start,
            p_baseline_end => p_baseline_end
        )
    ),

    left_out AS MATERIALIZED (
        SELECT
            l.payer_id,
            l.cpt_group_id,
            l.days,
            sum(l.lines)::int AS lines
        FROM drift.left_out_lines(
            p_customer_id => p_customer_id,
            p_as_of => p_as_of,
            p_baseline_start => p_baseline_start,
            p_baseline_end => p_baseline_end,
            p_metric => 'DECISION_DAYS'
        ) AS l
        WHERE NOT l.is_current
        GROUP BY l.payer_id, l.cpt_group_id, l.days
    ),

    -- No alert about days is on a payer as a whole.
    touched AS MATERIALIZED (
        SELECT *
        FROM drift.touched_cells(
            p_customer_id => p_customer_id,
            p_as_of => p_as_of,
            p_baseline_start => p_baseline_start,
            p_baseline_end => p_baseline_end,
            p_metric => 'DECISION_DAYS'
        )
        WHERE p_with_dispersion
    ),

    -- Lines of cells that say nothing about a usual fortnight.
    dropped AS MATERIALIZED (
        SELECT
            c.payer_id,
            c.cpt_group_id,
            c.first_decided_date - c.submitted_date AS days,
            count(*)::int AS lines
        FROM public.claim AS c
        WHERE
            c.customer_id = p_customer_id
            AND p_with_dispersion
            AND c.first_decided_date >= p_baseline_start
            AND c.first_decided_date < v_first_day
        GROUP BY c.payer_id, c.cpt_group_id, c.first_decided_date - c.submitted_date
        UNION ALL
        SELECT
            c.payer_id,
            c.cpt_group_id,
            c.first_decided_date - c.submitted_date,
            count(*)::int
        FROM public.claim AS c
        JOIN touched AS t
            ON
                t.payer_id = c.payer_id
                AND t.cpt_group_id = c.cpt_group_id
                AND t.cell = (p_baseline_end - c.first_decided_date) / 14
        WHERE
            c.customer_id = p_customer_id
            AND c.first_decided_date >= v_first_day
            AND c.first_decided_date <= p_baseline_end
        GROUP BY c.payer_id, c.cpt_group_id, c.first_decided_date - c.submitted_date
    ),

    -- Volumes first: only groups with enough lines go on to medians and ranks.
    volume AS MATERIALIZED (
        SELECT
            v.payer_id,
            v.cpt_group_id,
            f.alert_id,
            coalesce(f.baseline_n, v.n0) AS n0,
            v.n1
        FROM (
            SELECT
                c.payer_id,
                c.cpt_group_id,
                coalesce(sum(c.lines) FILTER (WHERE NOT c.is_current), 0)::bigint AS n0,
                coalesce(sum(c.lines) FILTER (WHERE c.is_current), 0)::bigint AS n1
            FROM (
                SELECT a.payer_id, a.cpt_group_id, a.is_current, a.lines
                FROM counted AS a
                UNION ALL
                SELECT l.payer_id, l.cpt_group_id, false, -l.lines
                FROM left_out AS l
                UNION ALL
                -- A group with a live alert whose payer fell silent: insufficient, but not gone.
                SELECT f.payer_id, f.cpt_group_id, true, 0
                FROM frozen AS f
            ) AS c
            GROUP BY c.payer_id, c.cpt_group_id
        ) AS v
        LEFT JOIN frozen AS f USING (payer_id, cpt_group_id)
    ),

    -- One row per distinct number of days: lines in the baseline, in the cells kept of it, and now.
    histogram AS MATERIALIZED (
        SELECT
            v.payer_id,
            v.cpt_group_id,
            v.n0,
            v.n1,
            h.days,
            -- Not bigint, whose sums are numeric and slow.
            sum(h.baseline)::double precision AS baseline,
            sum(h.kept)::double precision AS kept,
            sum(h.current)::double precision AS current
        FROM volume AS v
        JOIN (
            SELECT
                c.payer_id,
                c.cpt_group_id,
                c.days,
                c.is_current,
                NULL::bigint AS alert_id,
                CASE WHEN c.is_current THEN 0 ELSE c.lines END AS baseline,
                CASE WHEN c.is_current THEN 0 ELSE c.lines END AS kept,
                CASE WHEN c.is_current THEN c.lines ELSE 0 END AS current
            FROM counted AS c
            UNION ALL
            SELECT l.payer_id, l.cpt_group_id, l.days, false, NULL, -l.lines, 0, 0
            FROM left_out AS l
            UNION ALL
            SELECT d.payer_id, d.cpt_group_id, d.days, false, NULL, 0, -d.lines, 0
            FROM dropped AS d
            UNION ALL
            SELECT f.payer_id, f.cpt_group_id, b.days, false, f.alert_id, b.lines::int, 0, 0
            FROM frozen AS f
            CROSS JOIN LATERAL unnest(f.baseline_days, f.baseline_counts) AS b (days, lines)
        ) AS h
            ON
                h.payer_id = v.payer_id
                AND h.cpt_group_id = v.cpt_group_id
                AND (h.is_current OR h.alert_id IS NOT DISTINCT FROM v.alert_id)
        WHERE v.n0 >= p_min_volume
        GROUP BY v.payer_id, v.cpt_group_id, v.n0, v.n1, h.days
        HAVING sum(h.baseline) + sum(h.current) + sum(h.kept) > 0
    ),

    cumulated AS MATERIALIZED (
        SELECT
            h.*,
            sum(h.baseline) OVER so_far AS baseline_upto,
            sum(h.current) OVER so_far AS current_upto,
            -- Mid-ranks among the lines kept, less their mean: half of those below less those above.
            (2 * sum(h.kept) OVER so_far - h.kept - sum(h.kept) OVER whole) / 2 AS rank,
            sum(h.kept) OVER whole AS all_kept
        FROM histogram AS h
        WINDOW
            so_far AS (PARTITION BY h.payer_id, h.cpt_group_id ORDER BY h.days),
            whole AS (PARTITION BY h.payer_id, h.cpt_group_id)
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
            sum(h.current * (2 * h.baseline_upto - h.baseline - h.n0) ORDER BY h.days)
                AS surplus,
            sum(
                (h.baseline + h.current)
                * (h.n0 + h.n1 - h.baseline - h.current)
                * (h.n0 + h.n1 + h.baseline + h.current)
                ORDER BY h.days
            ) AS spread,
            max(h.all_kept)::bigint AS kept,
            sum(h.kept * h.rank ^ 2 ORDER BY h.days) AS rank_total
        FROM cumulated AS h
        GROUP BY h.payer_id, h.cpt_group_id
    ),

    -- A line's rank is looked up in two arrays of its group, which takes less than a join.
    rank_of AS (
        SELECT
            h.payer_id,
            h.cpt_group_id,
            array_agg(h.days::double precision ORDER BY h.days) AS days,
            array_agg(h.rank ORDER BY h.days) AS ranks
        FROM cumulated AS h
        GROUP BY h.payer_id, h.cpt_group_id
    ),

    ranked AS (
        SELECT
            c.payer_id,
            c.cpt_group_id,
            count(*) AS cells,
            -- In order, since a sum of fractions depends on it: a repeated run finds the same.
            sum(c.ranks ^ 2 / c.n ORDER BY c.cell) AS rank_between
        FROM (
            SELECT
                i.payer_id,
                i.cpt_group_id,
                (p_baseline_end - i.first_decided_date) / 14 AS cell,
                count(*) AS n,
                sum(
                    r.ranks[width_bucket(
                        (i.first_decided_date - i.submitted_date)::double precision, r.days
                    )]
                ) AS ranks
            FROM public.claim AS i
            -- Not an inner join, which the planner takes for so few rows that it sorts them.
            LEFT JOIN rank_of AS r USING (payer_id, cpt_group_id)
            WHERE
                p_with_dispersion
                AND i.customer_id = p_customer_id
                AND i.first_decided_date >= v_first_day
                AND i.first_decided_date <= p_baseline_end
            GROUP BY i.payer_id, i.cpt_group_id, cell
        ) AS c
        LEFT JOIN touched AS t USING (payer_id, cpt_group_id, cell)
        WHERE t.cell IS NULL AND c.ranks IS NOT NULL
        GROUP BY c.payer_id, c.cpt_group_id
    ),

    slower AS (
        SELECT
            h.payer_id,
            h.cpt_group_id,
            coalesce(sum(h.baseline) FILTER (WHERE h.days > m.baseline), 0)::bigint AS baseline,
            coalesce(sum(h.current) FILTER (WHERE h.days > m.baseline), 0)::bigint AS current,
            array_agg(h.days ORDER BY h.days) FILTER (WHERE h.baseline > 0) AS days,
            array_agg(h.baseline::bigint ORDER BY h.days) FILTER (WHERE h.baseline > 0) AS counts
        FROM histogram AS h
        JOIN median AS m USING (payer_id, cpt_group_id)
        GROUP BY h.payer_id, h.cpt_group_id
    )

    SELECT
        v.payer_id,
        v.cpt_group_id,
        v.alert_id,
        v.n0,
        s.baseline,
        v.n1,
        s.current,
        m.baseline,
        m.current,
        m.surplus,
        m.spread,
        r.cells,
        m.kept,
        stats.rank_dispersion(
            p_between => r.rank_between,
            p_total => m.rank_total,
            p_n => m.kept,
            p_cells => r.cells
        ),
        s.days,
        s.counts
    FROM volume AS v
    LEFT JOIN median AS m USING (payer_id, cpt_group_id)
    LEFT JOIN slower AS s USING (payer_id, cpt_group_id)
    LEFT JOIN ranked AS r USING (payer_id, cpt_group_id);
END;
$function$;

COMMENT ON FUNCTION drift.observe_days(bigint, date, date, date, bigint, boolean) IS
'What is to be known about the decision days of each payer x CPT group as of a day, before any judgment: lines (n), those slower than the baseline''s median (x) and medians, in the baseline (frozen where an alert is live; its histogram as days and baseline_counts) and in the last 14 days; surplus and spread as in stats.rank_sum_z; with p_with_dispersion how much ranks varied between the baseline''s whole cells of 14 days (phi_own; cells and lines in them). Of groups with fewer than p_min_volume lines in the baseline only n.';

REVOKE ALL ON FUNCTION drift.observe_days(
    bigint, date, date, date, bigint, boolean
) FROM public;
GRANT EXECUTE ON FUNCTION drift.observe_days(bigint, date, date, date, bigint, boolean)
TO claimdrift_tenant, claimdrift_platform;
