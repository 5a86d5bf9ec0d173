CREATE OR REPLACE FUNCTION drift.examine_payers(
    p_settings public.drift_settings,
    p_payer_ids bigint[],
    p_baseline_n bigint[],
    p_baseline_x bigint[],
    p_current_n bigint[],
    p_current_x bigint[],
    p_dispersions double precision[]
)
RETURNS TABLE (
    payer_id bigint,
    strata bigint,
    sufficient boolean,
    baseline_n bigint,
    baseline_x bigint,
    current_n bigint,
    current_x bigint,
    has_effect boolean,
    z double precision,
    dispersion double precision,
    nu double precision,
    p_t double precision,
    p_value double precision
)
LANGUAGE sql
STABLE
ROWS 50
AS $function$
    WITH
    stratum AS MATERIALIZED (
        SELECT
            s.payer_id,
            s.n0,
            s.x0,
            s.n1,
            s.x1,
            s.phi,
            s.number,
            s.n1 * (s.x0 + s.x1)::double precision / (s.n0 + s.n1) AS expected,
            -- Hypergeometric, as in Cochran (1954) and Mantel and Haenszel (1959).
            coalesce(
                s.n1::double precision * s.n0 / nullif(s.n0 + s.n1 - 1, 0)
                * (s.x0 + s.x1) / (s.n0 + s.n1)
                * (s.n0 + s.n1 - s.x0 - s.x1) / (s.n0 + s.n1),
                0
            ) AS variance
        FROM unnest(
            p_payer_ids, p_baseline_n, p_baseline_x, p_current_n, p_current_x, p_dispersions
        ) WITH ORDINALITY AS s (payer_id, n0, x0, n1, x1, phi, number)
        WHERE s.n0 > 0
    ),

    payer AS (
        SELECT
            s.payer_id,
            count(*) AS strata,
            sum(s.n0)::bigint AS n0,
            sum(s.x0)::bigint AS x0,
            sum(s.n1)::bigint AS n1,
            sum(s.x1)::bigint AS x1,
            -- In order, since a sum of fractions depends on it: a repeated run finds the same.
            sum(s.x1 - s.expected ORDER BY s.number) AS excess,
            sum(s.phi * s.variance ORDER BY s.number) AS variance,
            sum(s.phi * s.variance ORDER BY s.number)
            / nullif(sum(s.variance ORDER BY s.number), 0) AS phi
        FROM stratum AS s
        GROUP BY s.payer_id
    ),

    changed AS (
        SELECT
            p.*,
            p.n0 >= p_settings.min_volume AND p.n1 >= p_settings.min_volume AS is_sufficient,
            p.x1 / nullif(p.n1, 0)::double precision - p.x0 / p.n0::double precision AS delta,
            CASE WHEN p.variance > 0 THEN p.excess / sqrt(p.variance) ELSE 0 END AS z,
            -- One group alone isn't the payer: without whichever of them, the others move as well.
            p.variance > 0 AND (
                SELECT
                    min(
                        CASE
                            WHEN p.variance - s.phi * s.variance > 1e-12 * p.variance
                                THEN
                                    sign(p.excess) * (p.excess - s.x1 + s.expected)
                                    / sqrt(p.variance - s.phi * s.variance)
                            ELSE 0
                        END
                    )
                FROM stratum AS s
                WHERE s.payer_id = p.payer_id
            ) >= 1.645 AS is_shared
        FROM payer AS p
    ),

    judged AS (
        SELECT
            c.*,
            -- Where the mix of groups shifted, the pooled rates may even move the other way.
            c.is_sufficient AND c.is_shared AND sign(c.delta) = sign(c.z) AND coalesce(
                drift.has_effect(
                    p_settings => p_settings,
                    p_metric => 'DENIAL_RATE',
                    p_delta => c.delta,
                    p_relative_delta => c.delta / nullif(c.x0 / c.n0::double precision, 0)
                ),
                false
            ) AS has_effect,
            stats.student_p(p_z => c.z, p_df => 60) AS p_t
        FROM changed AS c
    )

    SELECT
        j.payer_id,
        j.strata,
        j.is_sufficient,
        j.n0,
        j.x0,
        j.n1,
        j.x1,
        coalesce(j.has_effect, false),
        CASE WHEN j.is_sufficient THEN j.z END,
        CASE WHEN j.is_sufficient THEN coalesce(j.phi, 1) END,
        CASE WHEN j.is_sufficient THEN 60::double precision END,
        CASE WHEN j.is_sufficient THEN j.p_t END,
        CASE
            WHEN j.is_sufficient THEN CASE WHEN j.has_effect THEN j.p_t ELSE 1 END
        END
    FROM judged AS j;
$function$;

COMMENT ON FUNCTION drift.examine_payers(public.drift_settings, bigint[], bigint[], bigint[], bigint[], bigint[], double precision[]) IS
'Tests payers as a whole for a move that all their groups share, however small each of them: one element of the parallel arrays is a group with a baseline (its payer, lines and denials there and in the last 14 days, dispersion). One row per payer: sums; z of the groups'' summed excess of denials over what each one''s pooled rate expects (Cochran-Mantel-Haenszel, variances times dispersion), p_t with 60 degrees of freedom. has_effect: the pooled rates moved enough, and so they would (one-sided p at most 0.05) without whichever group moved most; p_value is 1 without it. Tests are NULL below min_volume.';

REVOKE ALL ON FUNCTION drift.examine_payers(
    public.drift_settings, bigint[], bigint[], bigint[], bigint[], bigint[], double precision[]
) FROM public;
GRANT EXECUTE ON FUNCTION drift.examine_payers(
    public.drift_settings, bigint[], bigint[], bigint[], bigint[], bigint[], double precision[]
)
TO claimdrift_tenant, claimdrift_platform;
