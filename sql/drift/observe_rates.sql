CREATE OR REPLACE FUNCTION drift.observe_rates(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    frozen_alert_id bigint,
    rolling_n bigint,
    baseline_n bigint,
    baseline_x bigint,
    current_n bigint[],
    current_x bigint[],
    cells bigint[],
    cell_n bigint,
    cell_x bigint,
    phi_own double precision[]
)
LANGUAGE plpgsql
STABLE
ROWS 1000
-- Small tables against large ones: to sort the large ones would take several times as long.
SET enable_mergejoin = off
SET work_mem = '64MB'
AS $function$
DECLARE
    v_baseline_days CONSTANT int := p_baseline_end - p_baseline_start + 1;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    RETURN QUERY
    WITH
    frozen AS MATERIALIZED (
        SELECT *
        FROM drift.live_baselines(p_customer_id => p_customer_id, p_as_of => p_as_of) AS f
        WHERE f.metric = 'DENIAL_RATE' AND f.cpt_group_id IS NOT NULL
    ),

    touched AS MATERIALIZED (
        SELECT *
        FROM drift.touched_cells(
            p_customer_id => p_customer_id,
            p_as_of => p_as_of,
            p_baseline_start => p_baseline_start,
            p_baseline_end => p_baseline_end,
            p_metric => 'DENIAL_RATE'
        )
    ),

    cell AS MATERIALIZED (
        SELECT
            c.payer_id,
            c.cpt_group_id,
            c.is_current,
            c.cell,
            -- Not bigint, whose sums are numeric and slow.
            sum(c.lines)::int AS n,
            sum(c.denied)::int AS x
        FROM (
            SELECT b.payer_id, b.cpt_group_id, b.is_current, b.cell, b.lines, b.denied
            FROM drift.count_denials(
                p_customer_id => p_customer_id,
                p_as_of => p_as_of,
                p_baseline_start => p_baseline_start,
                p_baseline_end => p_baseline_end,
                p_current_days => 56
            ) AS b
            UNION ALL
            SELECT l.payer_id, l.cpt_group_id, l.is_current, l.cell, -l.lines, -l.denied
            FROM drift.left_out_lines(
                p_customer_id => p_customer_id,
                p_as_of => p_as_of,
                p_baseline_start => p_baseline_start,
                p_baseline_end => p_baseline_end,
                p_metric => 'DENIAL_RATE'
            ) AS l
            UNION ALL
            -- A group with a live alert whose payer fell silent: insufficient, but not gone.
            SELECT f.payer_id, f.cpt_group_id, true, 0, 0, 0
            FROM frozen AS f
        ) AS c
        GROUP BY c.payer_id, c.cpt_group_id, c.is_current, c.cell
    ),

    volume AS (
        SELECT
            c.payer_id,
            c.cpt_group_id,
            coalesce(sum(c.n) FILTER (WHERE NOT c.is_current), 0)::bigint AS n,
            coalesce(sum(c.x) FILTER (WHERE NOT c.is_current), 0)::bigint AS x,
            ARRAY[
                coalesce(sum(c.n) FILTER (WHERE c.is_current AND c.cell < 1), 0),
                coalesce(sum(c.n) FILTER (WHERE c.is_current AND c.cell < 2), 0),
                coalesce(sum(c.n) FILTER (WHERE c.is_current AND c.cell < 4), 0)
            ]::bigint[] AS current_n,
            ARRAY[
                coalesce(sum(c.x) FILTER (WHERE c.is_current AND c.cell < 1), 0),
                coalesce(sum(c.x) FILTER (WHERE c.is_current AND c.cell < 2), 0),
                coalesce(sum(c.x) FILTER (WHERE c.is_current AND c.cell < 4), 0)
            ]::bigint[] AS current_x
        FROM cell AS c
        GROUP BY c.payer_id, c.cpt_group_id
    ),

    -- Cells of 14 days, and two or four of them taken together; an incomplete oldest one is dropped.
    wide AS MATERIALIZED (
        SELECT
            c.payer_id,
            c.cpt_group_id,
            w.number,
            c.cell / w.parts AS cell,
            sum(c.n)::int AS n,
            sum(c.x)::int AS x
        FROM cell AS c
        JOIN (VALUES (1, 14, 1), (2, 28, 2), (3, 56, 4)) AS w (number, days, parts)
            ON c.cell / w.parts < v_baseline_days / w.days
        WHERE
            NOT c.is_current
            AND NOT EXISTS (
                SELECT FROM touched AS t
                WHERE
                    t.payer_id = c.payer_id
                    AND (t.cpt_group_id IS NULL OR t.cpt_group_id = c.cpt_group_id)
                    AND t.cell / w.parts = c.cell / w.parts
            )
        GROUP BY c.payer_id, c.cpt_group_id, w.number, c.cell / w.parts
        HAVING sum(c.n) > 0
    ),

    total AS (
        SELECT
            w.payer_id,
            w.cpt_group_id,
            w.number,
            sum(w.n)::bigint AS n,
            sum(w.x)::bigint AS x,
            count(*) AS cells
        FROM wide AS w
        GROUP BY w.payer_id, w.cpt_group_id, w.number
    ),

    dispersion AS (
        SELECT
            t.payer_id,
            t.cpt_group_id,
            t.number,
            t.n,
            t.x,
            t.cells,
            stats.pearson_dispersion(
                -- The difference in whole numbers is exact; that of two rates would cancel. In order,
                -- since a sum of fractions depends on it: a repeated run finds the same.
                p_spread => sum(
                    (w.x * t.n - w.n * t.x)::double precision ^ 2 / w.n ORDER BY w.cell
                ),
                p_x => t.x,
                p_n => t.n,
                p_cells => t.cells
            ) AS phi
        FROM wide AS w
        JOIN total AS t USING (payer_id, cpt_group_id, number)
        GROUP BY t.payer_id, t.cpt_group_id, t.number, t.n, t.x, t.cells
    ),

    own AS (
        SELECT
            d.payer_id,
            d.cpt_group_id,
            max(d.n) FILTER (WHERE d.number = 1) AS n,
            max(d.x) FILTER (WHERE d.number = 1) AS x,
            ARRAY[
                max(d.cells) FILTER (WHERE d.number = 1),
                max(d.cells) FILTER (WHERE d.number = 2),
                max(d.cells) FILTER (WHERE d.number = 3)
            ] AS cells,
            ARRAY[
                max(d.phi) FILTER (WHERE d.number = 1),
                max(d.phi) FILTER (WHERE d.number = 2),
                max(d.phi) FILTER (WHERE d.number = 3)
            ] AS phi
        FROM dispersion AS d
        GROUP BY d.payer_id, d.cpt_group_id
    )

    SELECT
        v.payer_id,
        v.cpt_group_id,
        f.alert_id,
        v.n,
        coalesce(f.baseline_n, v.n),
        coalesce(f.baseline_x, v.x),
        v.current_n,
        v.current_x,
        o.cells,
        o.n,
        o.x,
        o.phi
    FROM volume AS v
    LEFT JOIN own AS o USING (payer_id, cpt_group_id)
    LEFT JOIN frozen AS f USING (payer_id, cpt_group_id);
END;
$function$;

COMMENT ON FUNCTION drift.observe_rates(bigint, date, date, date) IS
'What is to be known about the denial rate of each payer x CPT group as of a day, before any judgment: lines (n) and denials (x) in the baseline (frozen where an alert is live; rolling_n: not) and in the last 14, 28 and 56 days; and how much the rate varied between the baseline''s whole cells of 14, 28 and 56 days (phi_own; cells with claims; n and x in those of 14).';

REVOKE ALL ON FUNCTION drift.observe_rates(bigint, date, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.observe_rates(bigint, date, date, date)
TO claimdrift_tenant, claimdrift_platform;
