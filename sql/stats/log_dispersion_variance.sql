CREATE OR REPLACE FUNCTION stats.log_dispersion_variance(
    p_df double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- trigamma(df / 2), by the first terms of its asymptotic series.
    SELECT
        2 / nullif(p_df, 0)
        + 2 / nullif(p_df, 0) ^ 2
        + 4 / (3 * nullif(p_df, 0) ^ 3);
$function$;

COMMENT ON FUNCTION stats.log_dispersion_variance(double precision) IS
'The variance of the logarithm of an estimated dispersion with p_df degrees of freedom, by sampling alone. NULL for 0 or NULL.';

REVOKE ALL ON FUNCTION stats.log_dispersion_variance(double precision) FROM public;
GRANT EXECUTE ON FUNCTION stats.log_dispersion_variance(double precision)
TO claimdrift_tenant, claimdrift_platform;
