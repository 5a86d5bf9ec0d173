CREATE OR REPLACE FUNCTION alerts.mute_groups(
    p_customer_id bigint
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    UPDATE public.alert AS a
    SET
        muted_by_alert_id = s.speaker_id,
        muted = s.speaker_id IS NOT NULL OR a.muted_until IS NOT NULL,
        updated_at = clock_timestamp()
    FROM (
        SELECT
            l.id,
            alerts.speaking_alert(
                p_customer_id => l.customer_id,
                p_payer_id => l.payer_id,
                p_cpt_group_id => l.cpt_group_id,
                p_metric => l.metric,
                p_direction => l.direction
            ) AS speaker_id
        FROM public.alert AS l
        WHERE l.customer_id = p_customer_id AND l.status IN ('open', 'acknowledged')
    ) AS s
    WHERE
        a.customer_id = p_customer_id
        AND a.id = s.id
        AND a.muted_by_alert_id IS DISTINCT FROM s.speaker_id;
$function$;

COMMENT ON FUNCTION alerts.mute_groups(bigint) IS
'Mutes live alerts on groups while one on their payer as a whole, of the same metric and direction, is live, and lets them speak again when it is over. Call it under the customer''s lock, after alerts opened or ended.';

REVOKE ALL ON FUNCTION alerts.mute_groups(bigint) FROM public;
