CREATE OR REPLACE FUNCTION stats.rank_sum_z(
    p_surplus double precision,
    p_spread double precision,
    p_n1 double precision,
    p_n2 double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
    -- Lehmann (1975), Nonparametrics, section 1.4: variance corrected for ties,
    -- numerator taken half a step towards 0.
    SELECT
        CASE
            WHEN p_surplus = 0 THEN 0
            ELSE
                sign(p_surplus) * (abs(p_surplus) - 1) / 2
                / sqrt(p_n1 * p_n2 / (12 * (p_n1 + p_n2) * (p_n1 + p_n2 - 1)) * p_spread)
        END;
$function$;

COMMENT ON FUNCTION stats.rank_sum_z(
    double precision, double precision, double precision, double precision
) IS
'Mann-Whitney''s signed z, tie- and continuity-corrected, from two sums over the distinct values '
'of both samples: p_surplus = pairs with sample 1 above sample 2 minus pairs with it below, '
'p_spread = sum of t (n - t) (n + t), where t lines share a value and n = p_n1 + p_n2. NULL when '
'an argument is; 0 for a surplus of 0, as when all values are tied.';

REVOKE ALL ON FUNCTION stats.rank_sum_z(
    double precision, double precision, double precision, double precision
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.rank_sum_z(
    double precision, double precision, double precision, double precision
) TO claimdrift_tenant, claimdrift_platform;
