CREATE OR REPLACE FUNCTION stats.benjamini_hochberg(
    p_values double precision[]
)
RETURNS double precision[]
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    v_invalid double precision := (
        SELECT p.value
        FROM unnest(p_values) AS p (value)
        -- NaN sorts above every number.
        WHERE p.value < 0 OR p.value > 1
        LIMIT 1
    );
BEGIN
    IF v_invalid IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PD010',
            MESSAGE = 'invalid p-values',
            DETAIL = format('%s is not a probability.', v_invalid),
            HINT = 'Pass numbers between 0 and 1; NULL leaves a test out of the family.';
    END IF;

    -- Benjamini and Hochberg (1995): q of the i-th smallest of m is the smallest
    -- p m / j over all j >= i. NULLs sort last, so that they don't shift the ranks.
    RETURN (
        SELECT coalesce(array_agg(q.q_value ORDER BY q.i), '{}')
        FROM (
            SELECT
                r.i,
                CASE
                    WHEN r.value IS NOT NULL
                        THEN min(r.value * r.m / r.j) OVER (ORDER BY r.j DESC)
                END AS q_value
            FROM (
                SELECT
                    p.i,
                    p.value,
                    count(p.value) OVER () AS m,
                    row_number() OVER (ORDER BY p.value) AS j
                FROM unnest(p_values) WITH ORDINALITY AS p (value, i)
            ) AS r
        ) AS q
    );
END;
$function$;

COMMENT ON FUNCTION stats.benjamini_hochberg(double precision[]) IS
'False discovery rate (q-value) of each p-value, in input order, with the whole array as one '
'family (Benjamini and Hochberg 1995); NULL elements stay NULL and are left out of the family, '
'an empty array stays empty, NULL gives NULL; PD010 for an element outside 0 ... 1 or NaN.';

REVOKE ALL ON FUNCTION stats.benjamini_hochberg(double precision[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.benjamini_hochberg(double precision[])
TO claimdrift_tenant, claimdrift_platform;
