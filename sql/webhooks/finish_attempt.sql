CREATE OR REPLACE FUNCTION webhooks.finish_attempt(
    p_customer_id bigint,
    p_delivery_id bigint,
    p_attempt int,
    p_duration_ms int,
    p_status_code int,
    p_error text DEFAULT '',
    p_response text DEFAULT '',
    p_retry_after text DEFAULT NULL,
    p_schedule int[] DEFAULT '{5,300,1800,7200,18000,36000,50400,72000,86400}'
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
-- DEFINER: deliveries and attempts are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_succeeded CONSTANT boolean := coalesce(p_status_code BETWEEN 200 AND 299, false)
        AND p_error = '';
    v_is_alone boolean;
    v_delivery public.webhook_delivery;
    v_outcome text;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    -- Before any row of its own: an erasure has the customer's row first, and then wants them all.
    PERFORM FROM public.customer AS c WHERE c.id = p_customer_id FOR KEY SHARE;
    -- Only who leaves room that somebody may wait for needs the lock. Of those under way that
    -- together filled an endpoint, the one that began last sees all of them here.
    v_is_alone := v_succeeded AND webhooks.has_room(
        p_customer_id => p_customer_id, p_delivery_id => p_delivery_id
    );
    IF NOT coalesce(v_is_alone, false) THEN
        PERFORM webhooks.lock_customer(p_customer_id);
    END IF;

    SELECT d.*
    INTO v_delivery
    FROM public.webhook_delivery AS d
    WHERE
        d.customer_id = p_customer_id
        AND d.id = p_delivery_id
        AND d.attempts = p_attempt
        AND d.leased_until IS NOT NULL
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        -- The lease ran out and was taken over: what the successor finds out counts.
        RETURN 'stale';
    END IF;
    INSERT INTO public.webhook_attempt (
        customer_id, delivery_id, number, started_at, duration_ms, status_code, error, response
    )
    VALUES (
        p_customer_id,
        p_delivery_id,
        p_attempt,
        v_delivery.leased_until - webhooks.lease_length(),
        p_duration_ms,
        p_status_code,
        p_error,
        p_response
    );
    IF v_succeeded THEN
        PERFORM webhooks.end_delivery(
            p_delivery_id => p_delivery_id,
            p_status => 'delivered',
            p_status_code => p_status_code,
            p_error => ''
        );
        PERFORM webhooks.note_success(
            p_customer_id => p_customer_id, p_endpoint_id => v_delivery.endpoint_id
        );
        v_outcome := 'delivered';
    ELSE
        v_outcome := webhooks.fail_attempt(
            p_delivery => v_delivery,
            p_status_code => p_status_code,
            p_error => p_error,
            p_retry_after => p_retry_after,
            p_schedule => p_schedule
        );
    END IF;
    IF NOT coalesce(v_is_alone, false) THEN
        PERFORM webhooks.queue_due(p_customer_id => p_customer_id);
    END IF;
    RETURN v_outcome;
END;
$function$;

COMMENT ON FUNCTION webhooks.finish_attempt(
    bigint, bigint, int, int, int, text, text, text, int[]
) IS
'Records what came of an attempt that webhooks.begin_attempt let through, and what follows. p_status_code NULL: there was no answer; p_error: what went wrong, '''' where nothing did; p_response: the start of the body; p_retry_after: that header; p_schedule: seconds to wait after the first, second... failure. Returns delivered (2xx without an error), retry (pending; webhooks.fail_attempt says when), failed (none left), disabled (410, or five days without a success), cancelled (meanwhile disabled or suspended), or stale: p_attempt is not under way any more, and nothing was changed. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION webhooks.finish_attempt(
    bigint, bigint, int, int, int, text, text, text, int[]
)
FROM public;
GRANT EXECUTE ON FUNCTION webhooks.finish_attempt(
    bigint, bigint, int, int, int, text, text, text, int[]
)
TO claimdrift_platform;
