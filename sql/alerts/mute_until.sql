CREATE OR REPLACE FUNCTION alerts.mute_until(
    p_customer_id bigint,
    p_payer_id bigint,
    p_cpt_group_id bigint,
    p_metric text,
    p_direction text,
    p_severity double precision
)
RETURNS timestamp with time zone
LANGUAGE sql
STABLE
AS $function$
    WITH
    verdict AS (
        SELECT
            j.alert_id,
            j.verdict,
            j.at
        FROM public.alert AS a
        JOIN public.alert_judgment AS j ON j.customer_id = a.customer_id AND j.alert_id = a.id
        WHERE
            a.customer_id = p_customer_id
            AND a.payer_id = p_payer_id
            AND a.cpt_group_id IS NOT DISTINCT FROM p_cpt_group_id
            AND a.metric = p_metric
            AND a.direction = p_direction
    ),

    second_noise AS (
        SELECT max(later.at) AS at
        FROM verdict AS later
        JOIN verdict AS earlier
            ON
                earlier.alert_id <> later.alert_id
                AND earlier.at BETWEEN later.at - interval '30 days' AND later.at
        WHERE later.verdict = 'noise' AND earlier.verdict = 'noise'
    )

    SELECT n.at + interval '90 days'
    FROM second_noise AS n
    WHERE
        n.at + interval '90 days' > clock_timestamp()
        AND alerts.band(p_severity) <> 'critical'
        AND NOT EXISTS (SELECT FROM verdict AS v WHERE v.verdict = 'real' AND v.at >= n.at);
$function$;

COMMENT ON FUNCTION alerts.mute_until(bigint, bigint, bigint, text, text, double precision) IS
'Until when an alert of this identity is muted: 90 days from the later of two noise verdicts, given within 30 days of each other on two of its alerts. NULL (no row) when it isn''t, when the severity is in the top band, or when a real verdict came after.';

REVOKE ALL ON FUNCTION alerts.mute_until(
    bigint, bigint, bigint, text, text, double precision
) FROM public;
GRANT EXECUTE ON FUNCTION alerts.mute_until(bigint, bigint, bigint, text, text, double precision)
TO claimdrift_tenant, claimdrift_platform;
