CREATE OR REPLACE FUNCTION alerts.share_delta(
    p_event public.drift_event
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT
        p_event.current_x / p_event.current_n::double precision
        - p_event.baseline_x / p_event.baseline_n::double precision;
$function$;

COMMENT ON FUNCTION alerts.share_delta(public.drift_event) IS
'How far the share of denied lines, or for DECISION_DAYS of those slower than the baseline''s median, had moved: what clearing looks for the return of.';

REVOKE ALL ON FUNCTION alerts.share_delta(public.drift_event) FROM public;
