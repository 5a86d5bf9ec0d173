CREATE OR REPLACE FUNCTION stats.dispersion_median(
    p_df double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- Wilson and Hilferty (1931).
    SELECT (1 - 2 / (9 * nullif(p_df, 0))) ^ 3;
$function$;

COMMENT ON FUNCTION stats.dispersion_median(double precision) IS
'The median of an estimated dispersion where the true one is 1: that of chi-squared over its p_df degrees of freedom (at least 1). NULL for 0 or NULL.';

REVOKE ALL ON FUNCTION stats.dispersion_median(double precision) FROM public;
GRANT EXECUTE ON FUNCTION stats.dispersion_median(double precision)
TO claimdrift_tenant, claimdrift_platform;
