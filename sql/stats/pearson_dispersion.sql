CREATE OR REPLACE FUNCTION stats.pearson_dispersion(
    p_spread double precision,
    p_x double precision,
    p_n double precision,
    p_cells bigint
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- (X / N) (1 - X / N) is the variance that a single claim would have; see McCullagh and Nelder
    -- (1989), Generalized Linear Models, section 4.5.
    SELECT
        CASE
            WHEN p_cells > 1 AND p_x > 0 AND p_x < p_n
                THEN p_spread / (p_x * (p_n - p_x)) / (p_cells - 1)
        END;
$function$;

COMMENT ON FUNCTION stats.pearson_dispersion(double precision, double precision, double precision, bigint) IS
'How much more a rate varies from cell to cell than independent claims would (1 = no more; Pearson''s chi-squared over its degrees of freedom): p_spread = sum over the cells of (x N - X n)^2 / n, p_x = X and p_n = N their totals, p_cells the number of cells with claims. NULL with fewer than two cells, or where all or none were denied.';

REVOKE ALL ON FUNCTION stats.pearson_dispersion(
    double precision, double precision, double precision, bigint
) FROM public;
GRANT EXECUTE ON FUNCTION stats.pearson_dispersion(
    double precision, double precision, double precision, bigint
)
TO claimdrift_tenant, claimdrift_platform;
