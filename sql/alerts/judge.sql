CREATE OR REPLACE FUNCTION alerts.judge(
    p_customer_id bigint,
    p_alert_id bigint,
    p_user_id bigint,
    p_verdict text,
    p_recovered_amount numeric DEFAULT NULL,
    p_note text DEFAULT NULL
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: judgments decide what is muted, and are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_alert public.alert;
    v_judgment_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);
    v_alert := alerts.find(p_customer_id => p_customer_id, p_alert_id => p_alert_id);
    IF p_verdict IS NULL OR p_verdict NOT IN ('noise', 'real', 'needs_followup') THEN
        RAISE EXCEPTION 'unknown verdict'
            USING ERRCODE = 'PD008', HINT = 'A verdict is noise, real or needs_followup.';
    END IF;

    INSERT INTO public.alert_judgment AS j (
        customer_id, alert_id, user_id, verdict, recovered_amount, note, at
    )
    VALUES (
        p_customer_id, p_alert_id, p_user_id, p_verdict, p_recovered_amount,
        coalesce(p_note, ''), clock_timestamp()
    )
    ON CONFLICT (customer_id, alert_id, user_id) DO UPDATE SET
        verdict = excluded.verdict,
        recovered_amount = excluded.recovered_amount,
        note = excluded.note,
        at = excluded.at
    RETURNING j.id INTO STRICT v_judgment_id;

    -- Somebody says it matters: whatever is live of this identity is heard again.
    UPDATE public.alert AS a
    SET
        muted = a.muted_by_alert_id IS NOT NULL,
        muted_until = NULL,
        updated_at = clock_timestamp()
    WHERE
        p_verdict = 'real'
        AND a.customer_id = p_customer_id
        AND a.payer_id = v_alert.payer_id
        AND a.cpt_group_id IS NOT DISTINCT FROM v_alert.cpt_group_id
        AND a.metric = v_alert.metric
        AND a.direction = v_alert.direction
        AND a.muted_until IS NOT NULL;
    RETURN v_judgment_id;
END;
$function$;

COMMENT ON FUNCTION alerts.judge(bigint, bigint, bigint, text, numeric, text) IS
'Records what a user says an alert was worth (noise, real, needs_followup) and the money it brought back, in place of that user''s former verdict; returns the judgment''s id. Noise on two alerts of an identity mutes its next ones, real ends that. Raises PD001 to PD004, PD006 (no such alert), PD008 (unknown verdict).';

REVOKE ALL ON FUNCTION alerts.judge(bigint, bigint, bigint, text, numeric, text) FROM public;
GRANT EXECUTE ON FUNCTION alerts.judge(bigint, bigint, bigint, text, numeric, text)
TO claimdrift_tenant, claimdrift_platform;
