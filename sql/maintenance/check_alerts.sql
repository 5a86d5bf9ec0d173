CREATE OR REPLACE FUNCTION maintenance.check_alerts()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE sql
STABLE
AS $function$
    SELECT
        'alert_live_twice',
        a.customer_id,
        max(a.id),
        format(
            'alerts %s are live at once: payer %s, group %s, %s %s',
            string_agg(a.id::text, ', ' ORDER BY a.id),
            a.payer_id,
            coalesce(a.cpt_group_id::text, '(all)'),
            a.metric,
            a.direction
        )
    FROM public.alert AS a
    WHERE a.status IN ('open', 'acknowledged')
    -- Unlike =, GROUP BY takes NULLs for equal, as the unique index must.
    GROUP BY a.customer_id, a.payer_id, a.cpt_group_id, a.metric, a.direction
    HAVING count(*) > 1

    UNION ALL
    SELECT
        'alert_resolution',
        a.customer_id,
        a.id,
        format(
            'is %s, resolved by %s as of %s, in an episode from %s on',
            a.status,
            coalesce(a.resolved_by, '(nobody)'),
            coalesce(a.resolved_as_of::text, '(never)'),
            a.episode_as_of
        )
    FROM public.alert AS a
    WHERE CASE a.status
        WHEN 'resolved'
            THEN coalesce(a.resolved_as_of < a.episode_as_of, true) OR a.resolved_by IS NULL
        ELSE num_nonnulls(a.resolved_as_of, a.resolved_by) > 0 OR a.new_normal OR a.rearmed
    END

    UNION ALL
    SELECT
        'alert_previous',
        a.customer_id,
        a.id,
        format(
            'is linked to alert %s, its identity''s former one is %s',
            coalesce(a.previous_alert_id::text, '(none)'),
            coalesce(former.id::text, '(none)')
        )
    FROM public.alert AS a
    LEFT JOIN LATERAL maintenance.former_alert(a) AS former ON true
    WHERE a.previous_alert_id IS DISTINCT FROM former.id

    UNION ALL
    -- alerts.decide reopens an alert whose drift is back before the cooldown's end, and opens
    -- another one only after it, whoever resolved the former; unless a user had declared its level
    -- the new normal. The cooldown is that of the run which opened the second: the settings may
    -- have changed since.
    SELECT
        'alert_in_cooldown',
        a.customer_id,
        a.id,
        format(
            'opened as of %s, but alert %s was resolved as of %s, with a cooldown of %s hours',
            a.opened_as_of,
            former.id,
            former.resolved_as_of,
            cooldown.hours
        )
    FROM public.alert AS a
    CROSS JOIN LATERAL maintenance.former_alert(a) AS former
    CROSS JOIN LATERAL (
        SELECT
            coalesce(
                (
                    SELECT min((r.parameters ->> 'cooldown_hours')::int)
                    FROM public.drift_run AS r
                    WHERE
                        r.customer_id = a.customer_id
                        AND r.status = 'completed'
                        AND r.as_of = a.opened_as_of
                        AND a.opened_at BETWEEN r.started_at AND r.finished_at
                ),
                (
                    SELECT s.cooldown_hours
                    FROM public.drift_settings AS s
                    WHERE s.customer_id = a.customer_id
                )
            ) AS hours
    ) AS cooldown
    WHERE
        NOT former.new_normal
        AND a.opened_as_of
        <= former.resolved_as_of::timestamp + make_interval(hours => cooldown.hours);
$function$;

COMMENT ON FUNCTION maintenance.check_alerts() IS
'What is wrong with alerts as such: alert_live_twice (two live ones of an identity), alert_resolution (status, resolved_by and resolved_as_of contradict each other), alert_previous (not linked to the identity''s former alert), alert_in_cooldown (opened where the former one should have been reopened). Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_alerts() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_alerts() TO claimdrift_platform;
