CREATE OR REPLACE FUNCTION alerts.reopen_returned(
    p_customer_id bigint,
    p_event_ids bigint[]
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    WITH
    reopened AS (
        UPDATE public.alert AS a
        SET
            status = 'open',
            level = d.level,
            peak_severity = e.severity,
            occurrences = a.occurrences + (d.as_of > a.last_seen_as_of)::int,
            last_seen_as_of = d.as_of,
            episode_as_of = d.as_of,
            -- A new episode freezes its baseline anew; the former one is left out of it.
            baseline_start = e.baseline_start,
            baseline_end = e.baseline_end,
            baseline_n = e.baseline_n,
            baseline_x = e.baseline_x,
            baseline_value = e.baseline_value,
            baseline_dispersion = coalesce(e.dispersion, 1),
            baseline_nu = coalesce(e.nu, 60),
            baseline_days = e.baseline_days,
            baseline_counts = e.baseline_counts,
            baseline_strata = e.strata,
            opening_delta = e.delta,
            opening_share_delta = alerts.share_delta(e),
            rule_id = d.rule_id,
            rule_definition = d.rule_definition,
            muted = m.mute_until IS NOT NULL OR m.speaker_id IS NOT NULL,
            muted_until = m.mute_until,
            muted_by_alert_id = m.speaker_id,
            -- Of an episode that began today, a repeated run must still know what was before it.
            former_resolved_as_of = CASE
                WHEN a.episode_as_of < d.as_of THEN a.resolved_as_of ELSE a.former_resolved_as_of
            END,
            former_recovered_as_of = CASE
                WHEN a.episode_as_of < d.as_of THEN a.recovered_as_of
                ELSE a.former_recovered_as_of
            END,
            former_new_normal = CASE
                WHEN a.episode_as_of < d.as_of THEN a.new_normal ELSE a.former_new_normal
            END,
            resolved_as_of = NULL,
            resolved_by = NULL,
            recovered_as_of = NULL,
            new_normal = false,
            rearmed = false,
            version = a.version + 1,
            updated_at = clock_timestamp()
        FROM alerts.decide(p_customer_id => p_customer_id, p_event_ids => p_event_ids) AS d
        JOIN public.drift_event AS e ON e.customer_id = p_customer_id AND e.id = d.event_id
        CROSS JOIN LATERAL alerts.muting(e) AS m
        WHERE a.customer_id = p_customer_id AND a.id = d.alert_id AND d.action = 'reopen'
        RETURNING a.*
    )

    INSERT INTO public.alert_transition (
        customer_id, alert_id, version, kind, from_status, to_status, level, severity, as_of, at
    )
    SELECT
        r.customer_id,
        r.id,
        r.version,
        'reopened',
        'resolved',
        r.status,
        r.level,
        r.peak_severity,
        r.episode_as_of,
        r.updated_at
    FROM reopened AS r
    ORDER BY r.id;
$function$;

COMMENT ON FUNCTION alerts.reopen_returned(bigint, bigint[]) IS
'Reopens resolved alerts whose drift came back within the cooldown, at the present band and with the present baseline frozen, with one transition each. Part of alerts.apply_events, which holds the lock.';

REVOKE ALL ON FUNCTION alerts.reopen_returned(bigint, bigint[]) FROM public;
