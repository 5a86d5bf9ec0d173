CREATE OR REPLACE FUNCTION stats.two_proportion_z(
    p_x1 int,
    p_n1 int,
    p_x2 int,
    p_n2 int
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
    -- erfc(|z| / sqrt 2) = 2 (1 - Phi(|z|)), without cancelling in the tail.
    SELECT
        greatest(
            erfc(
                abs(
                    stats.two_proportion_score(
                        p_x1 => p_x1, p_n1 => p_n1, p_x2 => p_x2, p_n2 => p_n2
                    )
                ) / sqrt(2::double precision)
            ),
            1e-300
        );
$function$;

COMMENT ON FUNCTION stats.two_proportion_z(int, int, int, int) IS
'Two-sided p-value of the pooled two-proportion z test (no continuity correction) of x1 of n1 '
'against x2 of n2; 1 when the pooled rate is 0 or 1, never below 1e-300; NULL when an argument '
'is; PD010 unless 0 <= x <= n and n >= 1.';

REVOKE ALL ON FUNCTION stats.two_proportion_z(int, int, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.two_proportion_z(int, int, int, int)
TO claimdrift_tenant, claimdrift_platform;
