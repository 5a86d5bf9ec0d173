CREATE OR REPLACE FUNCTION maintenance.check_transitions()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE sql
STABLE
AS $function$
    WITH
    history AS MATERIALIZED (
        SELECT
            t.*,
            lag(t.version) OVER of_alert AS former_version,
            lag(t.to_status) OVER of_alert AS former_status
        FROM public.alert_transition AS t
        WINDOW of_alert AS (PARTITION BY t.customer_id, t.alert_id ORDER BY t.version)
    ),

    versions AS (
        SELECT
            h.customer_id,
            h.alert_id,
            array_agg(h.version ORDER BY h.version) AS numbers
        FROM history AS h
        GROUP BY h.customer_id, h.alert_id
    )

    SELECT
        'transition_versions',
        a.customer_id,
        a.id,
        format(
            'is at version %s, its transitions are %s', a.version, coalesce(v.numbers, '{}')
        )
    FROM public.alert AS a
    LEFT JOIN versions AS v ON v.customer_id = a.customer_id AND v.alert_id = a.id
    WHERE v.numbers IS DISTINCT FROM ARRAY(SELECT generate_series(1, a.version))

    UNION ALL
    SELECT
        'transition_first',
        h.customer_id,
        h.id,
        format('alert %s began with %s', h.alert_id, h.kind)
    FROM history AS h
    WHERE h.version = 1 AND (h.kind <> 'opened' OR h.from_status IS NOT NULL)

    UNION ALL
    SELECT
        'transition_chain',
        h.customer_id,
        h.id,
        format(
            'version %s of alert %s comes from %s, the one before went to %s',
            h.version,
            h.alert_id,
            h.from_status,
            h.former_status
        )
    FROM history AS h
    WHERE h.former_version = h.version - 1 AND h.from_status IS DISTINCT FROM h.former_status

    UNION ALL
    SELECT
        'transition_replay',
        a.customer_id,
        a.id,
        format(
            'is %s at level %s, its transitions lead to %s at level %s',
            a.status,
            a.level,
            h.to_status,
            h.level
        )
    FROM public.alert AS a
    JOIN history AS h
        ON h.customer_id = a.customer_id AND h.alert_id = a.id AND h.version = a.version
    WHERE (h.to_status, h.level) <> (a.status, a.level)

    UNION ALL
    SELECT
        'transition_resolution',
        a.customer_id,
        a.id,
        format(
            'was resolved by %s as of %s, its last transition says %s as of %s',
            a.resolved_by,
            a.resolved_as_of,
            h.kind,
            h.as_of
        )
    FROM public.alert AS a
    JOIN history AS h
        ON h.customer_id = a.customer_id AND h.alert_id = a.id AND h.version = a.version
    WHERE
        a.status = 'resolved'
        AND h.to_status = 'resolved'
        AND (
            h.as_of <> a.resolved_as_of
            OR h.kind <> CASE a.resolved_by WHEN 'cleared' THEN 'cleared' ELSE 'resolved' END
        )

    UNION ALL
    -- Each transition keeps the peak of its moment, and one whose band is higher escalates.
    SELECT
        'transition_escalation',
        a.customer_id,
        a.id,
        format(
            'peaked at %s (%s), but its last transition knows of %s (%s)',
            a.peak_severity,
            alerts.band(a.peak_severity),
            h.severity,
            alerts.band(h.severity)
        )
    FROM public.alert AS a
    JOIN history AS h
        ON h.customer_id = a.customer_id AND h.alert_id = a.id AND h.version = a.version
    WHERE alerts.band(h.severity) <> alerts.band(a.peak_severity);
$function$;

COMMENT ON FUNCTION maintenance.check_transitions() IS
'Whether transitions tell what became of alerts: transition_versions (1 to the alert''s version, none missing), transition_first (starts with opened), transition_chain (each starts where the one before ended), transition_replay (the last one leads to the alert''s status and level), transition_resolution (and to how and when it was resolved), transition_escalation (no rise of the band without one). object_id is the alert, or for first and chain the transition. Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_transitions() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_transitions() TO claimdrift_platform;
