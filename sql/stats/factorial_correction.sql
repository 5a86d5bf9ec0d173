CREATE OR REPLACE FUNCTION stats.factorial_correction(
    p_n bigint
)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    v_n double precision := p_n;
    v_w double precision := 1 / greatest(v_n * v_n, 1);
BEGIN
    -- Below 16 the subtraction costs less than 1e-14; above, Stirling's series
    -- is that exact, while the subtraction would lose more and more digits.
    RETURN CASE
        WHEN p_n = 0 THEN 0
        WHEN p_n < 16 THEN lgamma(v_n + 1) - v_n * ln(v_n) + v_n
        ELSE 0.5 * ln(2 * pi() * v_n)
            + (1.0 / 12 - v_w * (1.0 / 360 - v_w * (1.0 / 1260 - v_w / 1680))) / v_n
    END;
END;
$function$;

COMMENT ON FUNCTION stats.factorial_correction(bigint) IS
'ln(n!) - (n ln n - n), to 1e-14 for any n >= 0 (0 at 0): the half logarithm and the error term '
'of Stirling''s formula (Loader 2000, Fast and Accurate Computation of Binomial Probabilities); '
'NULL for NULL.';

REVOKE ALL ON FUNCTION stats.factorial_correction(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.factorial_correction(bigint)
TO claimdrift_tenant, claimdrift_platform;
