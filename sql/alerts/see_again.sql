CREATE OR REPLACE FUNCTION alerts.see_again(
    p_customer_id bigint,
    p_event_ids bigint[]
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    WITH
    decided AS MATERIALIZED (
        SELECT
            d.*,
            d.action = 'escalate' AS escalates,
            d.action = 'escalate' AND alerts.band(e.severity) = 'critical' AS is_critical,
            e.severity
        FROM alerts.decide(p_customer_id => p_customer_id, p_event_ids => p_event_ids) AS d
        JOIN public.drift_event AS e ON e.customer_id = p_customer_id AND e.id = d.event_id
        WHERE d.action IN ('see', 'escalate')
    ),

    seen AS (
        UPDATE public.alert AS a
        SET
            occurrences = a.occurrences + (d.as_of > a.last_seen_as_of)::int,
            last_seen_as_of = greatest(a.last_seen_as_of, d.as_of),
            -- Without an enabled rule nothing rises: the alert may only clear.
            peak_severity = CASE
                WHEN d.rule_id IS NULL THEN a.peak_severity
                ELSE greatest(a.peak_severity, d.severity)
            END,
            level = CASE
                WHEN d.escalates AND alerts.rank(d.level) > alerts.rank(a.level) THEN d.level
                ELSE a.level
            END,
            -- Noise that reaches the top band is none.
            muted = a.muted_by_alert_id IS NOT NULL OR (a.muted AND NOT d.is_critical),
            muted_until = CASE WHEN NOT d.is_critical THEN a.muted_until END,
            rule_id = coalesce(d.rule_id, a.rule_id),
            rule_definition = coalesce(d.rule_definition, a.rule_definition),
            version = a.version + d.escalates::int,
            updated_at = clock_timestamp()
        FROM decided AS d
        WHERE
            a.customer_id = p_customer_id
            AND a.id = d.alert_id
            AND (
                d.escalates
                OR d.as_of > a.last_seen_as_of
                OR (d.rule_id IS NOT NULL AND d.severity > a.peak_severity)
                OR (d.rule_id, d.rule_definition) <> (a.rule_id, a.rule_definition)
            )
        RETURNING a.*, d.escalates, d.as_of
    )

    INSERT INTO public.alert_transition (
        customer_id, alert_id, version, kind, from_status, to_status, level, severity, as_of, at
    )
    SELECT
        s.customer_id,
        s.id,
        s.version,
        'escalated',
        s.status,
        s.status,
        s.level,
        s.peak_severity,
        s.as_of,
        s.updated_at
    FROM seen AS s
    WHERE s.escalates
    ORDER BY s.id;
$function$;

COMMENT ON FUNCTION alerts.see_again(bigint, bigint[]) IS
'Counts live alerts that were seen on another day, and escalates those whose band or level rises, with one transition each. Part of alerts.apply_events, which holds the lock.';

REVOKE ALL ON FUNCTION alerts.see_again(bigint, bigint[]) FROM public;
