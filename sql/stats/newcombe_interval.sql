CREATE OR REPLACE FUNCTION stats.newcombe_interval(
    p_x1 int,
    p_n1 int,
    p_x2 int,
    p_n2 int
)
RETURNS TABLE (
    low double precision,
    high double precision
)
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
ROWS 1
AS $function$
DECLARE
    v_difference double precision;
BEGIN
    PERFORM stats.assert_counts(p_x1 => p_x1, p_n1 => p_n1, p_x2 => p_x2, p_n2 => p_n2);

    v_difference := (p_x1::bigint * p_n2 - p_x2::bigint * p_n1) / (p_n1::double precision * p_n2);

    -- Newcombe (1998), Statistics in Medicine 17:873-890, method 10: the
    -- Wilson margins that pull the two rates apart or together, squared and added.
    low := v_difference - sqrt(
        stats.wilson_margin(p_x => p_x1, p_n => p_n1) ^ 2
        + stats.wilson_margin(p_x => p_n2 - p_x2, p_n => p_n2) ^ 2
    );
    high := v_difference + sqrt(
        stats.wilson_margin(p_x => p_n1 - p_x1, p_n => p_n1) ^ 2
        + stats.wilson_margin(p_x => p_x2, p_n => p_n2) ^ 2
    );
    RETURN NEXT;
END;
$function$;

COMMENT ON FUNCTION stats.newcombe_interval(int, int, int, int) IS
'One row: the 95 % interval of the difference x1 / n1 - x2 / n2, as shares of 1 (Newcombe 1998, '
'method 10, no continuity correction); no row when an argument is NULL; PD010 unless 0 <= x <= '
'n and n >= 1.';

REVOKE ALL ON FUNCTION stats.newcombe_interval(int, int, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.newcombe_interval(int, int, int, int)
TO claimdrift_tenant, claimdrift_platform;
