CREATE OR REPLACE FUNCTION alerts.window_drifts(
    p_windows jsonb,
    p_days int,
    p_direction text,
    p_limit double precision
)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- A window without enough lines has no p, the simple method none at all: nothing is known.
    SELECT
        coalesce(
            bool_and(
                w.p IS NULL
                OR (w.has_effect AND w.p <= p_limit AND (w.delta > 0) = (p_direction = 'up'))
            ),
            true
        )
    FROM jsonb_to_recordset(p_windows)
        AS w (days int, has_effect boolean, delta double precision, p double precision)
    WHERE w.days = p_days;
$function$;

COMMENT ON FUNCTION alerts.window_drifts(jsonb, int, text, double precision) IS
'Whether one window of a measurement (its length in days), by itself, still drifts in a direction: effect and p at most p_limit. True where that isn''t known.';

REVOKE ALL ON FUNCTION alerts.window_drifts(jsonb, int, text, double precision) FROM public;
