CREATE OR REPLACE FUNCTION stats.two_proportion_z(
    p_x1 int,
    p_n1 int,
    p_x2 int,
    p_n2 int
)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    v_x bigint := p_x1::bigint + p_x2;
    v_n bigint := p_n1::bigint + p_n2;
    v_z double precision;
BEGIN
    PERFORM stats.assert_counts(p_x1 => p_x1, p_n1 => p_n1, p_x2 => p_x2, p_n2 => p_n2);

    -- Nothing or everything happened: both rates are equal and their variance is 0.
    IF v_x = 0 OR v_x = v_n THEN
        RETURN 1;
    END IF;

    -- (p1 - p2) / sqrt(p (1 - p) (1/n1 + 1/n2)), multiplied out so that the
    -- difference is exact: two nearly equal rates would cancel.
    v_z := (p_x1::bigint * p_n2 - p_x2::bigint * p_n1)
        * sqrt(v_n / (p_n1::double precision * p_n2 * v_x * (v_n - v_x)));

    -- erfc(|z| / sqrt 2) = 2 (1 - Phi(|z|)), without cancelling in the tail.
    RETURN greatest(erfc(abs(v_z) / sqrt(2::double precision)), 1e-300);
END;
$function$;

COMMENT ON FUNCTION stats.two_proportion_z(int, int, int, int) IS
'Two-sided p-value of the pooled two-proportion z test (no continuity correction) of x1 of n1 '
'against x2 of n2; 1 when the pooled rate is 0 or 1, never below 1e-300; NULL when an argument '
'is; PD010 unless 0 <= x <= n and n >= 1.';

REVOKE ALL ON FUNCTION stats.two_proportion_z(int, int, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.two_proportion_z(int, int, int, int)
TO claimdrift_tenant, claimdrift_platform;
