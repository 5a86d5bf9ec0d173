CREATE OR REPLACE FUNCTION stats.two_proportion_score(
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
    v_x CONSTANT bigint := p_x1::bigint + p_x2;
    v_n CONSTANT bigint := p_n1::bigint + p_n2;
BEGIN
    PERFORM stats.assert_counts(p_x1 => p_x1, p_n1 => p_n1, p_x2 => p_x2, p_n2 => p_n2);

    -- Nothing or everything happened: both rates are equal and their variance is 0.
    IF v_x = 0 OR v_x = v_n THEN
        RETURN 0;
    END IF;

    -- (p1 - p2) / sqrt(p (1 - p) (1/n1 + 1/n2)), multiplied out so that the
    -- difference is exact: two nearly equal rates would cancel.
    RETURN (p_x1::bigint * p_n2 - p_x2::bigint * p_n1)
        * sqrt(v_n / (p_n1::double precision * p_n2 * v_x * (v_n - v_x)));
END;
$function$;

COMMENT ON FUNCTION stats.two_proportion_score(int, int, int, int) IS
'Signed z of the pooled two-proportion test (no continuity correction), positive when x1 / n1 is '
'the larger rate; 0 when the pooled rate is 0 or 1; NULL when an argument is; PD010 unless '
'0 <= x <= n and n >= 1.';

REVOKE ALL ON FUNCTION stats.two_proportion_score(int, int, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.two_proportion_score(int, int, int, int)
TO claimdrift_tenant, claimdrift_platform;
