CREATE OR REPLACE FUNCTION webhooks.publish_transitions(
    p_transition_ids bigint[]
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    WITH told AS (
        SELECT
            t.*,
            'alert.' || CASE t.kind WHEN 'cleared' THEN 'resolved' ELSE t.kind END AS type
        FROM public.alert_transition AS t
        WHERE t.id = ANY(p_transition_ids)
    )

    INSERT INTO public.webhook_event (
        customer_id, type, payload, occurred_at, message_id, dedup_key
    )
    SELECT
        t.customer_id,
        t.type,
        webhooks.payload(
            p_type => t.type,
            p_at => t.at,
            -- Notes are left out: people write what they like in them.
            p_data => jsonb_build_object(
                'alert_id', a.id,
                'version', t.version,
                'status', t.to_status,
                'level', t.level,
                'severity', t.severity,
                'metric', a.metric,
                'direction', a.direction,
                'payer', jsonb_build_object('id', p.id, 'name', p.name),
                'cpt_group', CASE
                    WHEN g.id IS NOT NULL THEN jsonb_build_object('id', g.id, 'name', g.name)
                END,
                'as_of', t.as_of,
                'opened_as_of', a.opened_as_of,
                'baseline_value', a.baseline_value,
                'current_value', e.current_value,
                'delta', e.delta,
                'baseline_n', a.baseline_n,
                'current_n', e.current_n,
                'resolved_by', CASE
                    WHEN t.to_status = 'resolved' THEN a.resolved_by
                END,
                'link', format('/api/v1/alerts/%s', a.id)
            )
        ),
        t.at,
        webhooks.new_message_id(),
        format('alert:%s:%s', a.id, t.version)
    FROM told AS t
    JOIN public.alert AS a ON a.customer_id = t.customer_id AND a.id = t.alert_id
    JOIN public.payer AS p ON p.customer_id = a.customer_id AND p.id = a.payer_id
    LEFT JOIN public.cpt_group AS g ON g.customer_id = a.customer_id AND g.id = a.cpt_group_id
    -- What was seen last; of a transition in between, the figures as they are now.
    LEFT JOIN LATERAL (
        SELECT
            d.current_value,
            d.current_n,
            d.delta
        FROM public.drift_event AS d
        WHERE
            d.customer_id = a.customer_id
            AND d.payer_id = a.payer_id
            AND d.cpt_group_id IS NOT DISTINCT FROM a.cpt_group_id
            AND d.metric = a.metric
            AND d.direction = a.direction
            AND NOT d.withdrawn
        ORDER BY d.current_end DESC
        LIMIT 1
    ) AS e ON true
    WHERE NOT a.muted
    ORDER BY t.id
    ON CONFLICT (customer_id, dedup_key) DO NOTHING;
$function$;

COMMENT ON FUNCTION webhooks.publish_transitions(bigint[]) IS
'Writes one event for each alert_transition of an alert that isn''t muted: alert.opened, escalated, acknowledged, reopened or resolved (also for cleared; resolved_by says by whom). Called by trigger on alert_transition, in its transaction.';

REVOKE ALL ON FUNCTION webhooks.publish_transitions(bigint[]) FROM public;
