CREATE OR REPLACE FUNCTION alerts.decide(
    p_customer_id bigint,
    p_event_ids bigint[]
)
RETURNS TABLE (
    event_id bigint,
    action text,
    alert_id bigint,
    rule_id bigint,
    rule_definition jsonb,
    level text,
    as_of date
)
LANGUAGE sql
STABLE
AS $function$
    WITH
    facts AS (
        SELECT
            e.id,
            e.severity,
            e.may_open,
            e.current_end + 1 AS as_of,
            last.id AS alert_id,
            last.status,
            last.level AS former_level,
            last.peak_severity,
            last.resolved_by,
            last.rearmed,
            last.new_normal,
            last.resolved_as_of,
            last.resolved_as_of::timestamp + make_interval(hours => s.cooldown_hours)
                AS cooldown_ends,
            r.rule_id,
            r.definition,
            r.level
        FROM public.drift_event AS e
        JOIN public.drift_settings AS s USING (customer_id)
        LEFT JOIN LATERAL (
            SELECT a.*
            FROM public.alert AS a
            WHERE
                a.customer_id = e.customer_id
                AND a.payer_id = e.payer_id
                AND a.cpt_group_id IS NOT DISTINCT FROM e.cpt_group_id
                AND a.metric = e.metric
                AND a.direction = e.direction
            ORDER BY a.id DESC
            LIMIT 1
        ) AS last ON true
        LEFT JOIN LATERAL alerts.match_rules(
            p_customer_id => e.customer_id,
            p_payer_id => e.payer_id,
            p_cpt_group_id => e.cpt_group_id,
            p_metric => e.metric,
            p_direction => e.direction,
            p_severity => e.severity,
            p_delta => e.delta,
            p_relative_delta => e.relative_delta
        ) AS r ON true
        WHERE
            e.customer_id = p_customer_id
            AND e.id = ANY(p_event_ids)
            AND NOT e.withdrawn
    ),

    compared AS (
        SELECT
            f.*,
            alerts.rank(alerts.band(f.severity)) > alerts.rank(alerts.band(f.peak_severity))
                AS band_rises,
            alerts.rank(f.level) > alerts.rank(f.former_level) AS level_rises
        FROM facts AS f
    )

    SELECT
        c.id,
        CASE
            -- Without an enabled rule a live alert is seen, and nothing else happens.
            WHEN c.status IN ('open', 'acknowledged') AND c.rule_id IS NULL THEN 'see'
            WHEN c.rule_id IS NULL THEN 'ignore'
            WHEN c.status IN ('open', 'acknowledged') AND (c.band_rises OR c.level_rises)
                THEN 'escalate'
            WHEN c.status IN ('open', 'acknowledged') THEN 'see'
            -- Likely enough to be watched, not to be announced between two looks.
            WHEN NOT c.may_open THEN 'ignore'
            WHEN c.status IS NULL THEN 'open'
            -- A user has dealt with it, and it neither went away nor grew since.
            WHEN c.resolved_by = 'user' AND NOT c.rearmed AND NOT c.band_rises THEN 'ignore'
            -- Against a new baseline it is another thing that happened; the day on which that was
            -- declared is still measured against the former one.
            WHEN c.new_normal AND c.as_of <= c.resolved_as_of THEN 'ignore'
            WHEN c.new_normal THEN 'open'
            WHEN c.as_of <= c.cooldown_ends THEN 'reopen'
            ELSE 'open'
        END,
        c.alert_id,
        c.rule_id,
        c.definition,
        c.level,
        c.as_of
    FROM compared AS c
    ORDER BY c.id;
$function$;

COMMENT ON FUNCTION alerts.decide(bigint, bigint[]) IS
'What drift events mean for alerts, deciding only: open a new alert, reopen or escalate the last one of the identity (alert_id), see it again, or ignore the event. One row per event that isn''t withdrawn. Call it under the customer''s lock, in a later statement than the one that takes it.';

REVOKE ALL ON FUNCTION alerts.decide(bigint, bigint[]) FROM public;
GRANT EXECUTE ON FUNCTION alerts.decide(bigint, bigint[]) TO claimdrift_tenant, claimdrift_platform;
