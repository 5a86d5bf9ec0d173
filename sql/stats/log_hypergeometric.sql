CREATE OR REPLACE FUNCTION stats.log_hypergeometric(
    p_a bigint,
    p_b bigint,
    p_c bigint,
    p_d bigint
)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    -- By how much a and d exceed their expectation; b and c fall short of theirs as much.
    v_excess double precision := (p_a * p_d - p_b * p_c)::double precision
        / (p_a + p_b + p_c + p_d);
BEGIN
    -- ln of (a+b)! (c+d)! (a+c)! (b+d)! / (n! a! b! c! d!).
    IF p_a + p_b + p_c + p_d < 1000 THEN
        RETURN lgamma(p_a + p_b + 1) + lgamma(p_c + p_d + 1)
            + lgamma(p_a + p_c + 1) + lgamma(p_b + p_d + 1)
            - lgamma(p_a + p_b + p_c + p_d + 1)
            - lgamma(p_a + 1) - lgamma(p_b + 1) - lgamma(p_c + 1) - lgamma(p_d + 1);
    END IF;

    -- Differences of lgamma would lose 1e-9 at n = 100,000. Hence every n! is split into
    -- n ln n - n and a correction: the large parts make up the deviances, which have one sign.
    RETURN stats.factorial_correction(p_a + p_b)
        + stats.factorial_correction(p_c + p_d)
        + stats.factorial_correction(p_a + p_c)
        + stats.factorial_correction(p_b + p_d)
        - stats.factorial_correction(p_a + p_b + p_c + p_d)
        - stats.factorial_correction(p_a)
        - stats.factorial_correction(p_b)
        - stats.factorial_correction(p_c)
        - stats.factorial_correction(p_d)
        - stats.poisson_deviance(p_a, v_excess)
        - stats.poisson_deviance(p_b, -v_excess)
        - stats.poisson_deviance(p_c, -v_excess)
        - stats.poisson_deviance(p_d, v_excess);
END;
$function$;

COMMENT ON FUNCTION stats.log_hypergeometric(bigint, bigint, bigint, bigint) IS
'Natural logarithm of the probability of the 2 x 2 table (a, b; c, d) given its margins, which '
'must all be positive; to 1e-11 for tables likelier than 1e-300 (Loader 2000, saddle-point '
'expansion, as in R''s dhyper); NULL when an argument is.';

REVOKE ALL ON FUNCTION stats.log_hypergeometric(bigint, bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.log_hypergeometric(bigint, bigint, bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
