CREATE OR REPLACE FUNCTION drift.is_night(
    p_time_zone text,
    p_at timestamp with time zone
)
RETURNS boolean
LANGUAGE sql
STABLE
AS $function$
    SELECT (p_at AT TIME ZONE p_time_zone)::time >= '02:00'
        AND (p_at AT TIME ZONE p_time_zone)::time < '06:00';
$function$;

COMMENT ON FUNCTION drift.is_night(text, timestamp with time zone) IS
'Whether the clocks of a time zone show 02:00 to 06:00, the hours of nightly detection. No change of clocks skips or repeats all of them.';

REVOKE ALL ON FUNCTION drift.is_night(text, timestamp with time zone) FROM public;
