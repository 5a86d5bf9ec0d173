CREATE OR REPLACE FUNCTION webhooks.note_failure(
    p_customer_id bigint,
    p_endpoint_id bigint,
    p_status_code int,
    p_wait interval
)
RETURNS public.webhook_endpoint
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_now CONSTANT timestamp with time zone := clock_timestamp();
    -- A refusal proves that it is there.
    v_is_unavailable CONSTANT boolean := p_status_code IS NULL
        OR p_status_code >= 500
        OR p_status_code IN (408, 429)
        OR (p_status_code BETWEEN 200 AND 299);
    v_endpoint public.webhook_endpoint;
BEGIN
    UPDATE public.webhook_endpoint AS w
    SET
        failing_since = coalesce(w.failing_since, v_now),
        unavailable_count = CASE
            WHEN NOT v_is_unavailable THEN 0
            -- It was under way before: what is noted already isn't news.
            WHEN w.blocked_until > v_now THEN w.unavailable_count
            ELSE w.unavailable_count + 1
        END,
        -- greatest() and least() pass over NULL.
        blocked_until = CASE
            WHEN v_is_unavailable
                THEN greatest(
                    CASE
                        WHEN w.blocked_until > v_now THEN w.blocked_until
                        WHEN w.unavailable_count >= 4
                            THEN v_now + make_interval(
                                secs => least(15 * 2 ^ least(w.unavailable_count - 4, 10), 600)
                            )
                    END,
                    v_now
                    + CASE WHEN p_wait IS NOT NULL THEN least(p_wait, interval '10 minutes') END
                )
        END
    WHERE w.customer_id = p_customer_id AND w.id = p_endpoint_id
    RETURNING w.* INTO STRICT v_endpoint;
    RETURN v_endpoint;
END;
$function$;

COMMENT ON FUNCTION webhooks.note_failure(bigint, bigint, int, interval) IS
'Notes that an attempt at an endpoint failed. Without an answer, or with 5xx, 408, 429 or an answer that broke off, it counts as unavailable: from the fifth in a row on the breaker opens, for 15 s, 30 s ... 10 min; and for what Retry-After asks for (p_wait), 10 minutes at most. What fails while it is open, or while Retry-After is waited for, was under way before: it counts for nothing and shortens nothing. Returns the endpoint as it is then.';

REVOKE ALL ON FUNCTION webhooks.note_failure(bigint, bigint, int, interval) FROM public;
