CREATE OR REPLACE FUNCTION webhooks.fail_attempt(
    p_delivery public.webhook_delivery,
    p_status_code int,
    p_error text,
    p_retry_after text,
    p_schedule int[]
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_now CONSTANT timestamp with time zone := clock_timestamp();
    v_wait CONSTANT interval := CASE
        WHEN p_status_code IN (429, 502, 503, 504)
            THEN webhooks.retry_after(p_header => p_retry_after, p_now => v_now)
    END;
    v_endpoint public.webhook_endpoint;
    v_is_active boolean;
    v_delay interval;
    v_final text;
BEGIN
    v_endpoint := webhooks.note_failure(
        p_customer_id => p_delivery.customer_id,
        p_endpoint_id => p_delivery.endpoint_id,
        p_status_code => p_status_code,
        p_wait => v_wait
    );
    SELECT c.status = 'active'
    INTO STRICT v_is_active
    FROM public.customer AS c
    WHERE c.id = p_delivery.customer_id;
    v_final := CASE
        WHEN v_endpoint.status = 'disabled' OR NOT v_is_active THEN 'cancelled'
        WHEN p_status_code = 410 OR p_delivery.failures >= cardinality(p_schedule) THEN 'failed'
    END;
    IF v_final IS NOT NULL THEN
        PERFORM webhooks.end_delivery(
            p_delivery_id => p_delivery.id,
            p_status => v_final,
            p_status_code => p_status_code,
            p_error => p_error
        );
    ELSE
        -- Up to 20 % later, so that what failed together doesn't come back together.
        v_delay := greatest(
            make_interval(secs => p_schedule[p_delivery.failures + 1] * (1 + random() * 0.2)),
            v_wait
        );
        UPDATE public.webhook_delivery AS d
        SET
            failures = d.failures + 1,
            next_attempt_at = v_now + v_delay,
            leased_until = NULL,
            last_status_code = p_status_code,
            last_error = p_error
        WHERE d.id = p_delivery.id;
        -- A queue full of jobs for later slows down every fetch: those wait for the sweep.
        IF v_delay <= interval '10 minutes' THEN
            PERFORM webhooks.queue(ARRAY[p_delivery.id]);
        END IF;
    END IF;

    IF v_endpoint.status <> 'disabled' AND p_status_code = 410 THEN
        PERFORM webhooks.disable(
            p_customer_id => p_delivery.customer_id,
            p_endpoint_id => v_endpoint.id,
            p_reason => 'It answered 410: whoever received there does not any more.'
        );
        RETURN 'disabled';
    ELSIF
        v_endpoint.status <> 'disabled' AND v_endpoint.failing_since < v_now - interval '5 days'
    THEN
        PERFORM webhooks.disable(
            p_customer_id => p_delivery.customer_id,
            p_endpoint_id => v_endpoint.id,
            p_reason => 'It took nothing for five days.'
        );
        RETURN 'disabled';
    END IF;
    RETURN coalesce(v_final, 'retry');
END;
$function$;

COMMENT ON FUNCTION webhooks.fail_attempt(
    public.webhook_delivery, int, text, text, int[]
) IS
'What follows a failed attempt: the delivery is due again after its place in p_schedule (seconds), up to 20 % later, and not before what Retry-After of 429, 502, 503 and 504 asks for (24 hours at most); with none left it failed. Its endpoint is disabled after 410, and when it took nothing for five days. Part of webhooks.finish_attempt, whose answers it returns.';

REVOKE ALL ON FUNCTION webhooks.fail_attempt(
    public.webhook_delivery, int, text, text, int[]
)
FROM public;
