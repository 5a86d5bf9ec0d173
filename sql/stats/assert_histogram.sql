CREATE OR REPLACE FUNCTION stats.assert_histogram(
    p_values int[],
    p_current int[],
    p_baseline int[]
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    v_detail text;
BEGIN
    -- Sums over no rows are NULL, hence IS NOT TRUE for empty arrays.
    SELECT CASE
        WHEN cardinality(p_values) <> cardinality(p_current)
            OR cardinality(p_values) <> cardinality(p_baseline)
            THEN format(
                'There are %s values, %s current and %s baseline counts.',
                cardinality(p_values), cardinality(p_current), cardinality(p_baseline)
            )
        WHEN bool_or(h.missing)
            THEN format('Element %s is NULL.', min(h.i) FILTER (WHERE h.missing))
        WHEN least(min(h.current), min(h.baseline)) < 0
            THEN format('The smallest count is %s.', least(min(h.current), min(h.baseline)))
        WHEN bool_or(h.repeated)
            THEN format('Value %s is repeated.', min(h.value) FILTER (WHERE h.repeated))
        WHEN (sum(h.current) > 0 AND sum(h.baseline) > 0) IS NOT TRUE
            THEN format(
                'There are %s current and %s baseline observations.',
                coalesce(sum(h.current), 0), coalesce(sum(h.baseline), 0)
            )
    END
    INTO v_detail
    FROM (
        SELECT
            b.*,
            b.value IS NULL OR b.current IS NULL OR b.baseline IS NULL AS missing,
            lag(b.value) OVER (ORDER BY b.value) = b.value AS repeated
        FROM unnest(p_values, p_current, p_baseline) WITH ORDINALITY
            AS b (value, current, baseline, i)
    ) AS h;

    IF v_detail IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PD010',
            MESSAGE = 'invalid counts',
            DETAIL = v_detail,
            HINT = 'Pass three arrays of one length without NULLs: distinct values, and for each'
                ' sample counts of at least 0 with a positive sum.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION stats.assert_histogram(int[], int[], int[]) IS
'Raises PD010 unless the arrays have one length and no NULL elements, the values are distinct, '
'no count is negative and both samples have an observation; a NULL array is let through, since '
'every caller is STRICT.';

REVOKE ALL ON FUNCTION stats.assert_histogram(int[], int[], int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.assert_histogram(int[], int[], int[])
TO claimdrift_tenant, claimdrift_platform;
