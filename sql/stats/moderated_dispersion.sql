CREATE OR REPLACE FUNCTION stats.moderated_dispersion(
    p_own double precision,
    p_df double precision,
    p_prior double precision,
    p_prior_df double precision,
    p_members bigint
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- Smyth (2004), section 3: a weighted mean of both. greatest() passes over NULL.
    SELECT
        greatest(
            1,
            CASE
                WHEN p_own IS NULL THEN p_prior
                ELSE (p_df * p_own + p_prior_df * p_prior) / (p_df + p_prior_df)
            END,
            CASE WHEN p_members > 1 THEN p_prior END
        );
$function$;

COMMENT ON FUNCTION stats.moderated_dispersion(double precision, double precision, double precision, double precision, bigint) IS
'A group''s dispersion, moderated by that of the groups like it, and never below theirs (where it isn''t the only one) nor below 1: p_own with p_df degrees of freedom, p_prior with p_prior_df from p_members groups. The prior alone where p_own is NULL.';

REVOKE ALL ON FUNCTION stats.moderated_dispersion(
    double precision, double precision, double precision, double precision, bigint
) FROM public;
GRANT EXECUTE ON FUNCTION stats.moderated_dispersion(
    double precision, double precision, double precision, double precision, bigint
)
TO claimdrift_tenant, claimdrift_platform;
