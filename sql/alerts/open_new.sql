CREATE OR REPLACE FUNCTION alerts.open_new(
    p_customer_id bigint,
    p_event_ids bigint[]
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    WITH
    opened AS (
        INSERT INTO public.alert (
            customer_id, payer_id, cpt_group_id, metric, direction,
            rule_id, rule_definition, previous_alert_id, level, peak_severity,
            opened_as_of, last_seen_as_of, episode_as_of, window_start,
            baseline_start, baseline_end, baseline_n, baseline_x, baseline_value,
            baseline_dispersion, baseline_nu, baseline_days, baseline_counts, baseline_strata,
            opening_delta, opening_share_delta, muted, muted_until, muted_by_alert_id,
            opened_at, updated_at
        )
        SELECT
            e.customer_id, e.payer_id, e.cpt_group_id, e.metric, e.direction,
            d.rule_id, d.rule_definition, d.alert_id, d.level, e.severity,
            d.as_of, d.as_of, d.as_of, e.current_start,
            e.baseline_start, e.baseline_end, e.baseline_n, e.baseline_x, e.baseline_value,
            -- The simple method and silence know no dispersion.
            coalesce(e.dispersion, 1), coalesce(e.nu, 60),
            e.baseline_days, e.baseline_counts, e.strata,
            e.delta, alerts.share_delta(e),
            m.mute_until IS NOT NULL OR m.speaker_id IS NOT NULL, m.mute_until, m.speaker_id,
            t.now, t.now
        FROM alerts.decide(p_customer_id => p_customer_id, p_event_ids => p_event_ids) AS d
        JOIN public.drift_event AS e ON e.customer_id = p_customer_id AND e.id = d.event_id
        CROSS JOIN LATERAL alerts.muting(e) AS m
        CROSS JOIN (SELECT clock_timestamp() AS now) AS t
        WHERE d.action = 'open'
        ORDER BY e.payer_id, e.cpt_group_id, e.metric, e.direction
        -- The lock makes this impossible; the index is the backstop should anyone forget it.
        ON CONFLICT (customer_id, payer_id, cpt_group_id, metric, direction)
            WHERE status IN ('open', 'acknowledged')
            DO NOTHING
        RETURNING *
    )

    INSERT INTO public.alert_transition (
        customer_id, alert_id, version, kind, to_status, level, severity, as_of, at
    )
    SELECT
        o.customer_id,
        o.id,
        o.version,
        'opened',
        o.status,
        o.level,
        o.peak_severity,
        o.opened_as_of,
        o.opened_at
    FROM opened AS o
    ORDER BY o.id;
$function$;

COMMENT ON FUNCTION alerts.open_new(bigint, bigint[]) IS
'Opens alerts for drift that has none, linked to the last one of the identity, with the event''s baseline frozen, and one transition each. Part of alerts.apply_events, which holds the lock.';

REVOKE ALL ON FUNCTION alerts.open_new(bigint, bigint[]) FROM public;
