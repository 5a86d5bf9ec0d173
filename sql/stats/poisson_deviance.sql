CREATE OR REPLACE FUNCTION stats.poisson_deviance(
    p_x double precision,
    p_excess double precision
)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    -- (x - mean) / (x + mean): ln(x / mean) is 2 artanh of it.
    v_v double precision := p_excess / (2 * p_x - p_excess);
    v_w double precision := v_v * v_v;
BEGIN
    RETURN CASE
        WHEN p_x = 0 THEN -p_excess
        -- Near the mean x ln(x / mean) and x - mean cancel: artanh's series
        -- with their difference taken out.
        WHEN abs(v_v) < 0.1 THEN p_excess * v_v + 2 * p_x * v_v * v_w * (
            1.0 / 3 + v_w * (1.0 / 5 + v_w * (1.0 / 7 + v_w * (1.0 / 9 + v_w * (
                1.0 / 11 + v_w * (1.0 / 13 + v_w * (1.0 / 15 + v_w / 17))
            ))))
        )
        ELSE p_x * ln(p_x / (p_x - p_excess)) - p_excess
    END;
END;
$function$;

COMMENT ON FUNCTION stats.poisson_deviance(double precision, double precision) IS
'x ln(x / mean) - (x - mean) for a count x >= 0 that exceeds its mean > 0 by p_excess = x - '
'mean, which is passed because callers know it exactly; never negative (Loader 2000, bd0); NULL '
'when an argument is.';

REVOKE ALL ON FUNCTION stats.poisson_deviance(double precision, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.poisson_deviance(double precision, double precision)
TO claimdrift_tenant, claimdrift_platform;
