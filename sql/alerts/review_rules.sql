CREATE OR REPLACE FUNCTION alerts.review_rules(
    p_customer_id bigint,
    p_run_id bigint,
    p_as_of date
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    WITH
    edited AS MATERIALIZED (
        SELECT
            a.id,
            a.status,
            owner.rule_id,
            owner.definition
        FROM public.alert AS a
        JOIN public.alert_rule AS r ON r.customer_id = a.customer_id AND r.id = a.rule_id
        LEFT JOIN public.drift_measurement AS m
            ON
                m.customer_id = a.customer_id
                AND m.run_id = p_run_id
                AND m.payer_id = a.payer_id
                AND m.cpt_group_id IS NOT DISTINCT FROM a.cpt_group_id
                AND m.metric = a.metric
                AND m.drifted
                AND m.direction = a.direction
        -- Where it didn't drift today, only what the rules are about can be asked.
        LEFT JOIN LATERAL alerts.match_rules(
            p_customer_id => a.customer_id,
            p_payer_id => a.payer_id,
            p_cpt_group_id => a.cpt_group_id,
            p_metric => a.metric,
            p_direction => a.direction,
            p_severity => m.severity,
            p_delta => m.delta,
            p_relative_delta => m.relative_delta
        ) AS owner ON true
        WHERE
            a.customer_id = p_customer_id
            AND a.status IN ('open', 'acknowledged')
            AND r.enabled
            AND alerts.rule_definition(r) <> a.rule_definition
    ),

    reviewed AS (
        UPDATE public.alert AS a
        SET
            rule_id = coalesce(e.rule_id, a.rule_id),
            rule_definition = coalesce(e.definition, a.rule_definition),
            status = CASE WHEN e.rule_id IS NULL THEN 'resolved' ELSE a.status END,
            resolved_by = CASE WHEN e.rule_id IS NULL THEN 'rule' END,
            resolved_as_of = CASE WHEN e.rule_id IS NULL THEN p_as_of END,
            version = a.version + (e.rule_id IS NULL)::int,
            updated_at = clock_timestamp()
        FROM edited AS e
        WHERE a.customer_id = p_customer_id AND a.id = e.id
        RETURNING a.*, e.status AS former_status
    )

    INSERT INTO public.alert_transition (
        customer_id, alert_id, version, kind, from_status, to_status, level, severity,
        as_of, note, at
    )
    SELECT
        r.customer_id,
        r.id,
        r.version,
        'resolved',
        r.former_status,
        r.status,
        r.level,
        r.peak_severity,
        p_as_of,
        'rule changed',
        r.updated_at
    FROM reviewed AS r
    WHERE r.status = 'resolved'
    ORDER BY r.id;
END;
$function$;

COMMENT ON FUNCTION alerts.review_rules(bigint, bigint, date) IS
'Judges live alerts anew whose rule was edited since: another enabled rule that matches takes them over, else they are resolved with the note "rule changed". Part of drift.detect, which holds the lock.';

REVOKE ALL ON FUNCTION alerts.review_rules(bigint, bigint, date) FROM public;
