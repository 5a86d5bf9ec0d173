CREATE OR REPLACE FUNCTION drift.p_value(
    p_metric text,
    p_z double precision,
    p_x1 bigint,
    p_n1 bigint,
    p_x0 bigint,
    p_n0 bigint
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
    SELECT
        greatest(
            erfc(abs(p_z) / sqrt(2::double precision)),
            1e-300,
            -- The normal approximation understates p where few denials, or few payments, are
            -- expected.
            CASE
                WHEN
                    p_metric <> 'DECISION_DAYS'
                    AND least(p_n1, p_n0) * least(pooled.p, 1 - pooled.p) < 10
                    THEN
                        stats.fisher_exact(
                            p_x1 => p_x1::int, p_n1 => p_n1::int,
                            p_x2 => p_x0::int, p_n2 => p_n0::int
                        )
            END
        )
    FROM (SELECT (p_x1 + p_x0)::double precision / (p_n1 + p_n0) AS p) AS pooled;
$function$;

COMMENT ON FUNCTION drift.p_value(text, double precision, bigint, bigint, bigint, bigint) IS
'The two-sided p-value of a group''s z: the normal one, and for rates with a smallest expected count below 10 (x1 of n1 current lines against x0 of n0 in the baseline) Fisher''s exact one where that is larger. NULL when an argument is.';

REVOKE ALL ON FUNCTION drift.p_value(
    text, double precision, bigint, bigint, bigint, bigint
) FROM public;
GRANT EXECUTE ON FUNCTION drift.p_value(text, double precision, bigint, bigint, bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
