CREATE OR REPLACE FUNCTION drift.complete_run(
    p_customer_id bigint,
    p_run_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_settings CONSTANT public.drift_settings := drift.settings_of(
        p_customer_id => p_customer_id
    );
    v_run CONSTANT public.drift_run := drift.find_run(
        p_customer_id => p_customer_id, p_run_id => p_run_id
    );
    v_newest CONSTANT date := drift.newest_as_of(p_customer_id => p_customer_id);
    v_former_run_id bigint;
    v_measurement_run_id bigint;
    v_parameters jsonb;
    v_measured int;
    v_insufficient int;
    v_events int := 0;
    v_is_applied boolean;
    v_is_look boolean;
BEGIN
    SELECT r.id
    INTO v_former_run_id
    FROM public.drift_run AS r
    WHERE
        r.customer_id = p_customer_id
        AND r.as_of = v_run.as_of
        AND r.status = 'completed'
        AND r.measurement_run_id IS NULL
    ORDER BY r.id
    LIMIT 1;
    v_measurement_run_id := coalesce(v_former_run_id, p_run_id);
    SELECT
        to_jsonb(v_settings) - '{id,customer_id}'::text[]
        || jsonb_build_object(
            'history_days', b.history_days,
            'baseline_start', b.baseline_start,
            'baseline_end', b.baseline_end
        )
    INTO STRICT v_parameters
    FROM drift.choose_baseline(p_customer_id => p_customer_id, p_as_of => v_run.as_of) AS b;

    PERFORM drift.record_measurements(
        p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_run.as_of
    );
    SELECT count(*) FILTER (WHERE m.sufficient), count(*) FILTER (WHERE NOT m.sufficient)
    INTO v_measured, v_insufficient
    FROM public.drift_measurement AS m
    WHERE m.customer_id = p_customer_id AND m.run_id = v_measurement_run_id;

    -- An older day is history: measured, but nobody is alerted about it. A day on which nothing
    -- could be measured (a date far ahead, say) moves nothing, and holds nothing back.
    v_is_applied := v_run.as_of = v_newest
        OR (v_measured > 0 AND v_run.as_of > coalesce(v_newest, '-infinity'));
    v_is_applied := coalesce(v_is_applied, false);
    v_is_look := v_is_applied
        AND drift.is_look(p_customer_id => p_customer_id, p_as_of => v_run.as_of);
    IF v_is_applied THEN
        PERFORM alerts.review_rules(
            p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_run.as_of
        );
        v_events := drift.record_events(
            p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_run.as_of
        );
        PERFORM alerts.settle(
            p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_run.as_of
        );
        PERFORM alerts.mute_groups(p_customer_id => p_customer_id);
    END IF;

    UPDATE public.drift_run AS r
    SET
        status = 'completed',
        measurement_run_id = v_former_run_id,
        parameters = v_parameters,
        applied = v_is_applied,
        is_look = v_is_look,
        groups_measured = v_measured,
        groups_insufficient = v_insufficient,
        events_found = v_events,
        finished_at = clock_timestamp()
    WHERE
        r.customer_id = p_customer_id
        AND r.id = p_run_id
        AND r.status IN ('queued', 'running');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the run was stopped'
            USING
                ERRCODE = 'PD015',
                DETAIL = format('Run %s was marked as failed while it went on.', p_run_id),
                HINT = 'Ask for another one with drift.request_run.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION drift.complete_run(bigint, bigint) IS
'Measures, records, alerts and marks the run as completed: what drift.detect and drift.run_requested share. A failed run''s measurements aren''t there, so only a completed one shares its own. The caller holds the customer''s lock and has seen that it is active. Raises PD015 when the run was marked failed meanwhile.';

REVOKE ALL ON FUNCTION drift.complete_run(bigint, bigint) FROM public;
