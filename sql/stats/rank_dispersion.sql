CREATE OR REPLACE FUNCTION stats.rank_dispersion(
    p_between double precision,
    p_total double precision,
    p_n double precision,
    p_cells bigint
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- Kruskal and Wallis (1952): H = (N - 1) between / total, of ranks.
    SELECT
        CASE
            WHEN p_cells > 1 AND p_total > 0
                THEN (p_n - 1) * p_between / p_total / (p_cells - 1)
        END;
$function$;

COMMENT ON FUNCTION stats.rank_dispersion(double precision, double precision, double precision, bigint) IS
'How much more durations vary from cell to cell than independent claims would (1 = no more): Kruskal and Wallis''s H, corrected for ties, over its degrees of freedom. With ranks less their mean: p_between = sum over the cells of (sum of ranks)^2 / n, p_total = sum of rank^2 over all p_n lines. NULL with fewer than two cells, or where all lines are tied.';

REVOKE ALL ON FUNCTION stats.rank_dispersion(
    double precision, double precision, double precision, bigint
) FROM public;
GRANT EXECUTE ON FUNCTION stats.rank_dispersion(
    double precision, double precision, double precision, bigint
)
TO claimdrift_tenant, claimdrift_platform;
