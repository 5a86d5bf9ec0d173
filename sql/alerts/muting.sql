CREATE OR REPLACE FUNCTION alerts.muting(
    p_event public.drift_event
)
RETURNS TABLE (
    mute_until timestamp with time zone,
    speaker_id bigint
)
LANGUAGE sql
STABLE
ROWS 1
AS $function$
    SELECT
        alerts.mute_until(
            p_customer_id => p_event.customer_id,
            p_payer_id => p_event.payer_id,
            p_cpt_group_id => p_event.cpt_group_id,
            p_metric => p_event.metric,
            p_direction => p_event.direction,
            p_severity => p_event.severity
        ),
        alerts.speaking_alert(
            p_customer_id => p_event.customer_id,
            p_payer_id => p_event.payer_id,
            p_cpt_group_id => p_event.cpt_group_id,
            p_metric => p_event.metric,
            p_direction => p_event.direction
        );
$function$;

COMMENT ON FUNCTION alerts.muting(public.drift_event) IS
'Whether an alert that a drift event opens or reopens is muted, and why: until a time, after two verdicts of noise, or by an alert on the payer as a whole that speaks for it. One row; both NULL: it is heard.';

REVOKE ALL ON FUNCTION alerts.muting(public.drift_event) FROM public;
