CREATE OR REPLACE FUNCTION stats.prior_df(
    p_variance double precision,
    p_groups bigint
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- Smyth (2004), Linear models and empirical Bayes methods, section 6.2: the d0 for which
    -- trigamma(d0 / 2) = v, here solved from the first two terms of its series.
    SELECT
        CASE
            WHEN p_groups >= 10 AND p_variance > 0
                THEN least(50, greatest(4, (1 + sqrt(1 + 2 * p_variance)) / p_variance))
            ELSE 50
        END;
$function$;

COMMENT ON FUNCTION stats.prior_df(double precision, bigint) IS
'How many degrees of freedom the other groups'' dispersion is worth, 4 to 50: few where the groups really differ. p_variance = variance of ln(dispersion) between the groups beyond what sampling explains. 50 where that isn''t positive, or fewer than 10 groups tell.';

REVOKE ALL ON FUNCTION stats.prior_df(double precision, bigint) FROM public;
GRANT EXECUTE ON FUNCTION stats.prior_df(double precision, bigint)
TO claimdrift_tenant, claimdrift_platform;
