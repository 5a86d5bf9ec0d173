CREATE OR REPLACE FUNCTION alerts.check_move(
    p_alert public.alert,
    p_kind text
)
RETURNS void
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_newer_id bigint;
BEGIN
    IF (
        CASE p_kind
            WHEN 'acknowledged' THEN p_alert.status <> 'open'
            WHEN 'resolved' THEN p_alert.status = 'resolved'
            WHEN 'reopened' THEN p_alert.status <> 'resolved'
        END
    ) THEN
        RAISE EXCEPTION 'illegal move'
            USING
                ERRCODE = 'PD007',
                DETAIL = format('Alert %s is %s.', p_alert.id, p_alert.status),
                HINT = CASE p_kind
                    WHEN 'acknowledged' THEN 'Only an open alert can be acknowledged.'
                    WHEN 'resolved' THEN 'Only an open or acknowledged alert can be resolved.'
                    WHEN 'reopened' THEN 'Only a resolved alert can be reopened.'
                END;
    END IF;

    IF p_kind = 'reopened' AND EXISTS (
        SELECT FROM public.payer AS p
        WHERE
            p.customer_id = p_alert.customer_id
            AND p.id = p_alert.payer_id
            AND p.merged_into_id IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'illegal move'
            USING
                ERRCODE = 'PD007',
                DETAIL = format('Payer %s was merged into another.', p_alert.payer_id),
                HINT = 'The payer was merged: its alerts are history.';
    END IF;

    SELECT a.id
    INTO v_newer_id
    FROM public.alert AS a
    WHERE
        p_kind = 'reopened'
        AND a.customer_id = p_alert.customer_id
        AND a.payer_id = p_alert.payer_id
        AND a.cpt_group_id IS NOT DISTINCT FROM p_alert.cpt_group_id
        AND a.metric = p_alert.metric
        AND a.direction = p_alert.direction
        AND a.id > p_alert.id
    ORDER BY a.id DESC
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'illegal move'
            USING
                ERRCODE = 'PD007',
                DETAIL = format('Alert %s is the newest of its kind.', v_newer_id),
                HINT = 'Only the newest alert of a payer, group, metric and direction can be reopened.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION alerts.check_move(public.alert, text) IS
'Raises PD007 unless a user may do this (acknowledged, resolved, reopened) to an alert in its present state; only the newest alert of an identity can be reopened, and none of a payer that was merged.';

REVOKE ALL ON FUNCTION alerts.check_move(public.alert, text) FROM public;
