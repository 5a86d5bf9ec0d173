CREATE OR REPLACE FUNCTION stats.effective_fisher(
    p_x1 bigint,
    p_n1 bigint,
    p_x2 bigint,
    p_n2 bigint,
    p_dispersion double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- Rao and Scott (1992), A simple method for the analysis of clustered binary data: counts over
    -- their dispersion behave like independent ones. round() goes to the even of two neighbours.
    SELECT
        CASE
            -- least() passes over NULL.
            WHEN e.x1 + e.x2 + e.n1 + e.n2 IS NULL THEN NULL
            WHEN least(e.n1, e.n2) >= 1
                THEN
                    stats.fisher_exact(
                        p_x1 => least(e.x1, e.n1),
                        p_n1 => e.n1,
                        p_x2 => least(e.x2, e.n2),
                        p_n2 => e.n2
                    )
            ELSE 1
        END
    FROM (
        SELECT
            round(p_x1 / p_dispersion)::int AS x1,
            round(p_n1 / p_dispersion)::int AS n1,
            round(p_x2 / p_dispersion)::int AS x2,
            round(p_n2 / p_dispersion)::int AS n2
    ) AS e;
$function$;

COMMENT ON FUNCTION stats.effective_fisher(bigint, bigint, bigint, bigint, double precision) IS
'Fisher''s exact two-sided p-value of x1 of n1 against x2 of n2 where claims come in clusters: on the counts divided by their dispersion and rounded. 1 where nothing is left of a sample; NULL when an argument is; PD010 as stats.fisher_exact.';

REVOKE ALL ON FUNCTION stats.effective_fisher(
    bigint, bigint, bigint, bigint, double precision
) FROM public;
GRANT EXECUTE ON FUNCTION stats.effective_fisher(bigint, bigint, bigint, bigint, double precision)
TO claimdrift_tenant, claimdrift_platform;
