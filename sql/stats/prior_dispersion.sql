CREATE OR REPLACE FUNCTION stats.prior_dispersion(
    p_sizes double precision[],
    p_dispersions double precision[],
    p_dfs double precision[],
    p_tell boolean[]
)
RETURNS TABLE (
    number bigint,
    bin int,
    members bigint,
    phi_prior double precision,
    d0 double precision
)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 1000
AS $function$
    WITH
    member AS MATERIALIZED (
        SELECT
            g.number,
            g.dispersion,
            g.df,
            g.tells,
            -- Groups of a size are alike: large ones show what small ones hide in chance.
            ntile(greatest(1, least(4, cardinality(p_sizes) / 25)))
                OVER (ORDER BY g.size, g.number) AS bin
        FROM unnest(p_sizes, p_dispersions, p_dfs, p_tell)
            WITH ORDINALITY AS g (size, dispersion, df, tells, number)
    ),

    prior AS MATERIALIZED (
        SELECT
            m.bin,
            count(*) AS members,
            greatest(
                1,
                percentile_cont(0.5) WITHIN GROUP (
                    ORDER BY m.dispersion / stats.dispersion_median(p_df => m.df)
                )
            ) AS phi
        FROM member AS m
        GROUP BY m.bin
    ),

    agreement AS (
        SELECT
            stats.prior_df(
                p_variance =>
                    var_samp(ln(m.dispersion / p.phi) ORDER BY m.number)
                    - avg(stats.log_dispersion_variance(p_df => m.df) ORDER BY m.number),
                p_groups => count(*)
            ) AS d0
        FROM member AS m
        JOIN prior AS p USING (bin)
        WHERE m.tells AND m.dispersion > 1e-9
    )

    SELECT
        m.number,
        m.bin,
        p.members,
        p.phi,
        least(a.d0, 6 * (p.members - 1))
    FROM member AS m
    JOIN prior AS p USING (bin)
    CROSS JOIN agreement AS a;
$function$;

COMMENT ON FUNCTION stats.prior_dispersion(double precision[], double precision[], double precision[], boolean[]) IS
'What the dispersion of many groups says about each of them (after Smyth 2004), from parallel arrays: what to sort them into up to four bins by, own dispersion (may be NULL), its degrees of freedom, and whether the group has claims enough to tell how much groups differ. One row per element, number counting from 1: its bin and the bin''s members, phi_prior = the bin''s median dispersion corrected to a mean (at least 1), d0 = the degrees of freedom that it is worth.';

REVOKE ALL ON FUNCTION stats.prior_dispersion(
    double precision[], double precision[], double precision[], boolean[]
) FROM public;
GRANT EXECUTE ON FUNCTION stats.prior_dispersion(
    double precision[], double precision[], double precision[], boolean[]
)
TO claimdrift_tenant, claimdrift_platform;
