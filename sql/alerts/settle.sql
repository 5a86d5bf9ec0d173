CREATE OR REPLACE FUNCTION alerts.settle(
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

    -- What a user resolved and is no longer drifted may alert again when it returns.
    UPDATE public.alert AS a
    SET rearmed = true, recovered_as_of = p_as_of, updated_at = clock_timestamp()
    FROM public.drift_measurement AS m, public.drift_settings AS s
    WHERE
        a.customer_id = p_customer_id
        AND s.customer_id = p_customer_id
        AND a.resolved_by = 'user'
        AND NOT a.rearmed
        -- On the day itself this was known when the user resolved it.
        AND a.resolved_as_of < p_as_of
        AND m.customer_id = p_customer_id
        AND m.run_id = p_run_id
        AND m.payer_id = a.payer_id
        AND m.cpt_group_id IS NOT DISTINCT FROM a.cpt_group_id
        AND m.metric = a.metric
        AND m.sufficient
        AND NOT (
            m.drifted
            AND m.direction = a.direction
            -- Longer windows still hold what was before: the one that alerted decides.
            AND alerts.window_drifts(
                p_windows => m.windows,
                p_days => a.opened_as_of - a.window_start,
                p_direction => a.direction,
                p_limit => s.false_discovery_rate
            )
        );

    UPDATE public.alert AS a
    SET
        muted = a.muted_by_alert_id IS NOT NULL,
        muted_until = NULL,
        updated_at = clock_timestamp()
    WHERE a.customer_id = p_customer_id AND a.muted_until <= clock_timestamp();

    WITH
    cleared AS (
        UPDATE public.alert AS a
        SET
            status = 'resolved',
            resolved_by = 'cleared',
            resolved_as_of = p_as_of,
            recovered_as_of = p_as_of,
            version = a.version + 1,
            updated_at = clock_timestamp()
        FROM
            public.alert AS former
        LEFT JOIN alerts.clearing_evidence(
            p_customer_id => p_customer_id, p_as_of => p_as_of
        ) AS e ON e.alert_id = former.id
        CROSS JOIN public.drift_measurement AS m
        CROSS JOIN public.drift_settings AS s
        WHERE
            a.customer_id = p_customer_id
            AND a.status IN ('open', 'acknowledged')
            AND former.customer_id = p_customer_id
            AND former.id = a.id
            AND s.customer_id = p_customer_id
            AND m.customer_id = p_customer_id
            AND m.run_id = p_run_id
            AND m.payer_id = a.payer_id
            AND m.cpt_group_id IS NOT DISTINCT FROM a.cpt_group_id
            AND m.metric = a.metric
            AND CASE a.metric
                -- A silence is over with the first decision; one that a user reopened, with the next
                -- day's run.
                WHEN 'SILENCE' THEN m.current_n > 0 AND p_as_of > a.episode_as_of
                ELSE
                    m.sufficient
                    AND NOT (m.drifted AND m.direction = a.direction)
                    AND p_as_of >= a.episode_as_of + 14
                    AND e.log_odds >= ln(s.clear_odds)
            END
        RETURNING a.*, former.status AS former_status
    )

    INSERT INTO public.alert_transition (
        customer_id, alert_id, version, kind, from_status, to_status, level, severity, as_of, at
    )
    SELECT
        c.customer_id,
        c.id,
        c.version,
        'cleared',
        c.former_status,
        c.status,
        c.level,
        c.peak_severity,
        p_as_of,
        c.updated_at
    FROM cleared AS c
    ORDER BY c.id;
END;
$function$;

COMMENT ON FUNCTION alerts.settle(bigint, bigint, date) IS
'What a run means for alerts whose group did not drift: clears live ones once a return to the old level is clear_odds times likelier (never within 14 days, nor on an insufficient measurement), a silence with the payer''s first decisions; rearms those a user resolved, and ends mutes that ran out. Part of drift.detect, which holds the lock.';

REVOKE ALL ON FUNCTION alerts.settle(bigint, bigint, date) FROM public;
