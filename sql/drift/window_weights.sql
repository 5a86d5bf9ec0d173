CREATE OR REPLACE FUNCTION drift.window_weights(
    p_guard_days int
)
RETURNS TABLE (
    days int,
    weight double precision
)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 3
AS $function$
    SELECT
        w.days,
        w.weight
    FROM (
        VALUES
            (56, 14, 0.6), (56, 28, 0.2), (56, 56, 0.2),
            (28, 14, 0.7), (28, 28, 0.3),
            (0, 14, 1)
    ) AS w (guard_days, days, weight)
    WHERE
        w.guard_days = CASE WHEN p_guard_days >= 56 THEN 56 WHEN p_guard_days >= 28 THEN 28 ELSE 0 END;
$function$;

COMMENT ON FUNCTION drift.window_weights(int) IS
'The current windows (days before as_of) and how the error rate is shared between them: those no longer than the guard band, so that none overlaps the baseline. NULL gives the shortest alone. The longer ones find slow changes, at little cost to the first.';

REVOKE ALL ON FUNCTION drift.window_weights(int) FROM public;
GRANT EXECUTE ON FUNCTION drift.window_weights(int) TO claimdrift_tenant, claimdrift_platform;
