CREATE OR REPLACE FUNCTION stats.mann_whitney_z(
    p_values int[],
    p_current int[],
    p_baseline int[]
)
RETURNS TABLE (
    u double precision,
    z double precision,
    effect double precision
)
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
ROWS 1
AS $function$
DECLARE
    v_n1 double precision;
    v_n2 double precision;
    v_surplus double precision;
    v_spread double precision;
BEGIN
    PERFORM stats.assert_histogram(
        p_values => p_values,
        p_current => p_current,
        p_baseline => p_baseline
    );

    -- v_surplus = pairs with current above baseline minus pairs with it below = 2u - n1 n2.
    -- v_spread = n^3 - sum(t^3) over the ties, as sum(t (n - t) (n + t)): all terms are
    -- positive, so that nothing cancels when nearly all values are tied. Products are
    -- double precision, since cubes of counts overflow bigint.
    SELECT
        max(h.n1),
        max(h.n2),
        sum(h.current * (h.n2 - h.baseline - 2 * h.above)),
        sum(h.tied * (h.n1 + h.n2 - h.tied) * (h.n1 + h.n2 + h.tied))
    INTO v_n1, v_n2, v_surplus, v_spread
    FROM (
        SELECT
            b.current::double precision AS current,
            b.baseline::double precision AS baseline,
            b.current::double precision + b.baseline AS tied,
            (sum(b.current) OVER ())::double precision AS n1,
            (sum(b.baseline) OVER ())::double precision AS n2,
            (sum(b.baseline) OVER (ORDER BY b.value DESC) - b.baseline)::double precision AS above
        FROM unnest(p_values, p_current, p_baseline) AS b (value, current, baseline)
    ) AS h;
    u := (v_n1 * v_n2 + v_surplus) / 2;
    effect := u / (v_n1 * v_n2);
    z := stats.rank_sum_z(p_surplus => v_surplus, p_spread => v_spread, p_n1 => v_n1, p_n2 => v_n2);
    RETURN NEXT;
END;
$function$;

COMMENT ON FUNCTION stats.mann_whitney_z(int[], int[], int[]) IS
'One row: Mann-Whitney''s u (pairs with current above baseline, ties half), its signed z '
'(positive when current is larger; tie- and continuity-corrected, 0 when all values are tied) '
'and effect = u / (n1 n2), from a histogram given as parallel arrays: distinct values in any '
'order and their counts in either sample; no row when an argument is NULL; PD010 as in '
'stats.assert_histogram.';

REVOKE ALL ON FUNCTION stats.mann_whitney_z(int[], int[], int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.mann_whitney_z(int[], int[], int[])
TO claimdrift_tenant, claimdrift_platform;
