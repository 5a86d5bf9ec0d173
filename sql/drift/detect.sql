CREATE OR REPLACE FUNCTION drift.detect(
    p_customer_id bigint,
    p_as_of date DEFAULT NULL,
    p_trigger text DEFAULT 'manual'
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runs, measurements, events and alerts are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_settings public.drift_settings;
    v_as_of date;
    v_newest date;
    v_is_applied boolean;
    v_is_look boolean;
    v_run_id bigint;
    v_measurement_run_id bigint;
    v_measured int;
    v_insufficient int;
    v_events int := 0;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);

    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    v_settings := drift.settings_of(p_customer_id => p_customer_id);
    -- now() is from before the wait for the lock.
    v_as_of := coalesce(
        p_as_of, tenancy.local_date(p_customer_id => p_customer_id, p_at => clock_timestamp())
    );
    v_newest := drift.newest_as_of(p_customer_id => p_customer_id);

    SELECT r.id
    INTO v_measurement_run_id
    FROM public.drift_run AS r
    WHERE r.customer_id = p_customer_id AND r.as_of = v_as_of AND r.measurement_run_id IS NULL
    ORDER BY r.id
    LIMIT 1;

    INSERT INTO public.drift_run (
        customer_id, as_of, trigger, measurement_run_id, started_at, parameters
    )
    SELECT
        p_customer_id,
        v_as_of,
        p_trigger,
        v_measurement_run_id,
        clock_timestamp(),
        to_jsonb(v_settings) - '{id,customer_id}'::text[]
        || jsonb_build_object(
            'history_days', b.history_days,
            'baseline_start', b.baseline_start,
            'baseline_end', b.baseline_end
        )
    FROM drift.choose_baseline(p_customer_id => p_customer_id, p_as_of => v_as_of) AS b
    RETURNING id INTO STRICT v_run_id;
    v_measurement_run_id := coalesce(v_measurement_run_id, v_run_id);

    PERFORM drift.record_measurements(
        p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_as_of
    );
    SELECT count(*) FILTER (WHERE m.sufficient), count(*) FILTER (WHERE NOT m.sufficient)
    INTO v_measured, v_insufficient
    FROM public.drift_measurement AS m
    WHERE m.customer_id = p_customer_id AND m.run_id = v_measurement_run_id;

    -- An older day is history: measured, but nobody is alerted about it. A day on which nothing
    -- could be measured (a date far ahead, say) moves nothing, and holds nothing back.
    v_is_applied := v_as_of = v_newest
        OR (v_measured > 0 AND v_as_of > coalesce(v_newest, '-infinity'));
    v_is_applied := coalesce(v_is_applied, false);
    v_is_look := v_is_applied AND drift.is_look(p_customer_id => p_customer_id, p_as_of => v_as_of);
    IF v_is_applied THEN
        PERFORM alerts.review_rules(
            p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_as_of
        );
        v_events := drift.record_events(
            p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_as_of
        );
        PERFORM alerts.settle(
            p_customer_id => p_customer_id, p_run_id => v_measurement_run_id, p_as_of => v_as_of
        );
        PERFORM alerts.mute_groups(p_customer_id => p_customer_id);
    END IF;

    UPDATE public.drift_run
    SET
        status = 'completed',
        applied = v_is_applied,
        is_look = v_is_look,
        groups_measured = v_measured,
        groups_insufficient = v_insufficient,
        events_found = v_events,
        finished_at = clock_timestamp()
    WHERE customer_id = p_customer_id AND id = v_run_id;
    RETURN v_run_id;
END;
$function$;

COMMENT ON FUNCTION drift.detect(bigint, date, text) IS
'Measures a customer''s claims as of a day (exclusive; NULL: today in its time zone), records events, and opens, moves or clears alerts, all or nothing, under the customer''s lock. Returns the drift_run''s id. Run again for the same day it writes only what new claims changed; for a day older than the newest applied one it records measurements only. On a look (drift.is_look) alerts open at the full false discovery rate, on other days at a tenth of it. p_trigger says what asked for it (lower-case word). Raises PD001 to PD005.';

REVOKE ALL ON FUNCTION drift.detect(bigint, date, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.detect(bigint, date, text)
TO claimdrift_tenant, claimdrift_platform;
