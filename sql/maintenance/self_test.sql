CREATE OR REPLACE FUNCTION maintenance.self_test()
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_customer_id bigint;
    v_as_of date;
    v_expected CONSTANT text := '840 claims, open DENIAL_RATE up, upload.completed, alert.opened, '
    || 'drift_run.completed, drift_run.completed';
    v_found text;
BEGIN
    -- Whatever this block writes is undone when it raises, which it always does.
    BEGIN
        INSERT INTO public.customer (slug, name, time_zone)
        VALUES (format('self-test-%s', gen_random_uuid()), 'Self-test', 'UTC')
        RETURNING id INTO STRICT v_customer_id;
        v_as_of := tenancy.local_date(v_customer_id, clock_timestamp());
        PERFORM webhooks.create_endpoint(
            p_customer_id => v_customer_id,
            p_url => 'https://self-test.invalid/',
            p_description => '',
            p_event_types => '{}',
            p_max_in_flight => NULL,
            p_ciphertext => 'never sent',
            p_key_id => 'none'
        );

        PERFORM ingest.create_staging();
        -- Four claims a day: one in ten is denied, and in the last two weeks every second.
        INSERT INTO pg_temp.staging (
            line, claim_number, payer, cpt, submitted_date, decided_date, outcome
        )
        SELECT
            d.age * 4 + d.place,
            format('%s-%s', d.age, d.place),
            'Self-test',
            '99213',
            (v_as_of - d.age - 10)::text,
            (v_as_of - d.age)::text,
            CASE
                WHEN d.age <= 14 AND d.place % 2 = 0 THEN 'DENIED'
                WHEN d.age > 14 AND (d.age * 4 + d.place) % 10 = 0 THEN 'DENIED'
                ELSE 'PAID'
            END
        FROM (
            SELECT
                age,
                place
            FROM generate_series(1, 210) AS age
            CROSS JOIN generate_series(1, 4) AS place
        ) AS d;
        PERFORM ingest.merge_v2(
            p_customer_id => v_customer_id,
            p_filename => 'self-test',
            p_sha256 => repeat('0', 64),
            p_size_bytes => 0
        );
        -- Twice the same: the second run must add nothing.
        PERFORM drift.detect(p_customer_id => v_customer_id, p_as_of => v_as_of);
        PERFORM drift.detect(p_customer_id => v_customer_id, p_as_of => v_as_of);

        SELECT concat_ws(', ', claims.counted, alerts.opened, events.told)
        INTO STRICT v_found
        FROM (
            SELECT format('%s claims', count(*)) AS counted
            FROM public.claim AS c
            WHERE c.customer_id = v_customer_id
        ) AS claims
        CROSS JOIN (
            SELECT string_agg(
                format('%s %s %s', a.status, a.metric, a.direction), ', ' ORDER BY a.id
            ) AS opened
            FROM public.alert AS a
            WHERE a.customer_id = v_customer_id
        ) AS alerts
        CROSS JOIN (
            SELECT string_agg(e.type, ', ' ORDER BY e.id) AS told
            FROM public.webhook_event AS e
            JOIN public.webhook_delivery AS d ON d.customer_id = e.customer_id AND d.event_id = e.id
            JOIN public.procrastinate_jobs AS j ON j.id = d.job_id AND j.status = 'todo'
            WHERE e.customer_id = v_customer_id
        ) AS events;
        RAISE EXCEPTION '%', v_found USING ERRCODE = 'PD021';
    EXCEPTION
        WHEN SQLSTATE 'PD021' THEN
            v_found := sqlerrm;
    END;

    IF v_found <> v_expected THEN
        RAISE EXCEPTION 'the self-test failed'
            USING
                ERRCODE = 'PD021',
                DETAIL = format('Expected: %s. Found: %s.', v_expected, v_found),
                HINT = 'A stored function does not do what it should: don''t deploy this release.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION maintenance.self_test() IS
'Carries a made-up customer through everything that is stored here, and undoes it: claims of which every tenth was denied and then every second, one file, detection twice; raises PD021 unless that ends in one open alert, and in the events that an endpoint is told, each with a delivery and a job. Raises what a broken function raises. Migrations that replace functions call it in their own transaction; also good for a look at a database in doubt. It waits for nobody and leaves nothing but gaps in the sequences.';

REVOKE ALL ON FUNCTION maintenance.self_test() FROM public;
