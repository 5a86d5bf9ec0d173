CREATE OR REPLACE FUNCTION alerts.share_delta(
    p_event public.drift_event
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- A payer that fell silent has no lines to take a share of.
    SELECT
        coalesce(
            p_event.current_x / nullif(p_event.current_n, 0)::double precision
            - p_event.baseline_x / p_event.baseline_n::double precision,
            p_event.delta
        );
$function$;

COMMENT ON FUNCTION alerts.share_delta(public.drift_event) IS
'How far the share of denied lines, or for DECISION_DAYS of those slower than the baseline''s median, had moved: what clearing looks for the return of. The event''s delta where there are no current lines (SILENCE).';

REVOKE ALL ON FUNCTION alerts.share_delta(public.drift_event) FROM public;
