CREATE OR REPLACE FUNCTION stats.assert_counts(
    p_x1 int,
    p_n1 int,
    p_x2 int,
    p_n2 int
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
BEGIN
    IF p_n1 < 1 OR p_x1 < 0 OR p_x1 > p_n1 OR p_n2 < 1 OR p_x2 < 0 OR p_x2 > p_n2 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PD010',
            MESSAGE = 'invalid counts',
            DETAIL = format(
                'Sample 1 has x = %s of n = %s, sample 2 has x = %s of n = %s.',
                p_x1, p_n1, p_x2, p_n2
            ),
            HINT = 'In both samples n must be at least 1 and x between 0 and n.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION stats.assert_counts(int, int, int, int) IS
'Raises PD010 unless 0 <= x <= n and n >= 1 in both samples; NULL in any argument is let '
'through, since every caller is STRICT.';

REVOKE ALL ON FUNCTION stats.assert_counts(int, int, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.assert_counts(int, int, int, int)
TO claimdrift_tenant, claimdrift_platform;
