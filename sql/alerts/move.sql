CREATE OR REPLACE FUNCTION alerts.move(
    p_customer_id bigint,
    p_alert_id bigint,
    p_kind text,
    p_actor_id bigint,
    p_note text,
    p_new_normal boolean
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_former public.alert;
    v_alert public.alert;
    v_as_of date;
    v_now timestamp with time zone;
BEGIN
    PERFORM drift.lock_customer(p_customer_id);
    v_now := clock_timestamp();
    v_former := alerts.find(p_customer_id => p_customer_id, p_alert_id => p_alert_id);
    PERFORM alerts.check_move(p_alert => v_former, p_kind => p_kind);
    v_as_of := greatest(
        drift.newest_as_of(p_customer_id => p_customer_id), v_former.last_seen_as_of
    );

    UPDATE public.alert AS a
    SET
        status = CASE p_kind
            WHEN 'acknowledged' THEN 'acknowledged'
            WHEN 'resolved' THEN 'resolved'
            WHEN 'reopened' THEN 'open'
        END,
        resolved_by = CASE WHEN p_kind = 'resolved' THEN 'user' END,
        resolved_as_of = CASE WHEN p_kind = 'resolved' THEN v_as_of END,
        new_normal = p_kind = 'resolved' AND coalesce(p_new_normal, false),
        -- Against a new baseline any drift is news.
        rearmed = p_kind = 'resolved' AND coalesce(p_new_normal, false),
        -- Of an episode that began today, a repeated run must still know what was before it.
        former_resolved_as_of = CASE
            WHEN p_kind = 'reopened' AND a.episode_as_of < v_as_of THEN a.resolved_as_of
            ELSE a.former_resolved_as_of
        END,
        former_recovered_as_of = CASE
            WHEN p_kind = 'reopened' AND a.episode_as_of < v_as_of THEN a.recovered_as_of
            ELSE a.former_recovered_as_of
        END,
        recovered_as_of = NULL,
        former_new_normal = CASE
            WHEN p_kind = 'reopened' AND a.episode_as_of < v_as_of THEN a.new_normal
            ELSE a.former_new_normal
        END,
        episode_as_of = CASE WHEN p_kind = 'reopened' THEN v_as_of ELSE a.episode_as_of END,
        last_seen_as_of = CASE WHEN p_kind = 'reopened' THEN v_as_of ELSE a.last_seen_as_of END,
        -- The user knows the rule as it is now, and wants the alert: only later edits count.
        rule_definition = CASE
            WHEN p_kind = 'reopened'
                THEN (
                    SELECT alerts.rule_definition(r)
                    FROM public.alert_rule AS r
                    WHERE r.customer_id = a.customer_id AND r.id = a.rule_id
                )
            ELSE a.rule_definition
        END,
        version = a.version + 1,
        updated_at = v_now
    WHERE a.customer_id = p_customer_id AND a.id = p_alert_id
    RETURNING a.* INTO STRICT v_alert;

    INSERT INTO public.alert_transition (
        customer_id, alert_id, version, kind, from_status, to_status, level, severity,
        as_of, actor_id, note, at
    )
    VALUES (
        p_customer_id, p_alert_id, v_alert.version, p_kind, v_former.status, v_alert.status,
        v_alert.level, v_alert.peak_severity, v_as_of, p_actor_id, coalesce(p_note, ''), v_now
    );
    PERFORM alerts.mute_groups(p_customer_id => p_customer_id);
    RETURN v_alert.version;
END;
$function$;

COMMENT ON FUNCTION alerts.move(bigint, bigint, text, bigint, text, boolean) IS
'A user''s change of an alert''s state (acknowledged, resolved, reopened) with its transition, under the customer''s lock; returns the alert''s new version. What alerts.acknowledge, resolve and reopen share. Raises PD001 to PD004, PD006 (no such alert), PD007 (illegal move).';

REVOKE ALL ON FUNCTION alerts.move(bigint, bigint, text, bigint, text, boolean) FROM public;
