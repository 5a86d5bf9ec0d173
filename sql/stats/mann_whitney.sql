CREATE OR REPLACE FUNCTION stats.mann_whitney(
    p_values int[],
    p_current int[],
    p_baseline int[]
)
RETURNS TABLE (
    u double precision,
    p_value double precision,
    effect double precision
)
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
ROWS 1
AS $function$
    -- erfc(|z| / sqrt 2) = 2 (1 - Phi(|z|)), without cancelling in the tail.
    SELECT
        w.u,
        greatest(erfc(abs(w.z) / sqrt(2::double precision)), 1e-300),
        w.effect
    FROM stats.mann_whitney_z(
        p_values => p_values,
        p_current => p_current,
        p_baseline => p_baseline
    ) AS w;
$function$;

COMMENT ON FUNCTION stats.mann_whitney(int[], int[], int[]) IS
'One row: Mann-Whitney''s u (pairs with current above baseline, ties half), its two-sided '
'p-value (normal approximation, tie- and continuity-corrected; 1 when all values are tied, '
'never below 1e-300) and effect = u / (n1 n2), from a histogram given as parallel arrays: '
'distinct values in any order and their counts in either sample; no row when an argument is '
'NULL; PD010 for unequal lengths, NULL elements, repeated values, negative counts or an empty '
'sample.';

REVOKE ALL ON FUNCTION stats.mann_whitney(int[], int[], int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.mann_whitney(int[], int[], int[])
TO claimdrift_tenant, claimdrift_platform;
