CREATE OR REPLACE FUNCTION webhooks.begin_attempt(
    p_customer_id bigint,
    p_delivery_id bigint
)
RETURNS TABLE (
    decision text,
    reason text,
    attempt int,
    url text,
    message_id text,
    body text,
    ciphertexts bytea[],
    key_ids text[]
)
LANGUAGE plpgsql
VOLATILE
-- DEFINER: deliveries are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_now timestamp with time zone;
    v_delivery public.webhook_delivery;
    v_endpoint public.webhook_endpoint;
    v_is_active boolean;
    v_endpoint_leased bigint;
    v_customer_leased bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    v_now := clock_timestamp();
    decision := 'drop';

    PERFORM webhooks.end_lost(ARRAY[d.id])
    FROM public.webhook_delivery AS d
    WHERE d.customer_id = p_customer_id AND d.id = p_delivery_id;
    SELECT d.*
    INTO v_delivery
    FROM public.webhook_delivery AS d
    WHERE d.customer_id = p_customer_id AND d.id = p_delivery_id
    -- Who finishes it holds the row, and may wait for our lock.
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND OR v_delivery.status <> 'pending' OR v_delivery.leased_until IS NOT NULL THEN
        reason := 'it is gone, finished, or under way';
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT w.*
    INTO STRICT v_endpoint
    FROM public.webhook_endpoint AS w
    WHERE w.customer_id = p_customer_id AND w.id = v_delivery.endpoint_id;
    SELECT c.status = 'active'
    INTO STRICT v_is_active
    FROM public.customer AS c
    WHERE c.id = p_customer_id;
    IF NOT v_is_active OR v_endpoint.status = 'disabled' THEN
        reason := CASE
            WHEN v_is_active THEN 'the endpoint is disabled'
            ELSE 'the customer was suspended'
        END;
        PERFORM webhooks.end_delivery(
            p_delivery_id => p_delivery_id,
            p_status => 'cancelled',
            p_status_code => v_delivery.last_status_code,
            p_error => reason
        );
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT count(*) FILTER (WHERE d.endpoint_id = v_endpoint.id), count(*)
    INTO STRICT v_endpoint_leased, v_customer_leased
    FROM public.webhook_delivery AS d
    WHERE d.customer_id = p_customer_id AND d.leased_until IS NOT NULL;
    reason := CASE
        WHEN v_delivery.next_attempt_at > v_now + interval '1 second' THEN 'it is not due yet'
        WHEN v_endpoint.status = 'paused' THEN 'the endpoint is paused'
        WHEN v_endpoint.blocked_until > v_now THEN 'the endpoint did not answer lately'
        WHEN
            v_endpoint_leased >= webhooks.capacity(v_endpoint, v_now)
            OR v_customer_leased >= webhooks.customer_capacity()
            THEN 'enough is under way'
    END;
    IF reason IS NOT NULL THEN
        -- Without a job: one is queued when there is room, or by the sweep.
        UPDATE public.webhook_delivery AS d
        SET
            job_id = NULL,
            next_attempt_at = greatest(
                d.next_attempt_at,
                CASE WHEN v_endpoint.blocked_until > v_now THEN v_endpoint.blocked_until END
            )
        WHERE d.id = p_delivery_id;
        decision := 'postpone';
        RETURN NEXT;
        RETURN;
    END IF;

    UPDATE public.webhook_delivery AS d
    SET
        attempts = d.attempts + 1,
        leased_until = v_now + webhooks.lease_length(),
        job_id = NULL
    WHERE d.id = p_delivery_id
    RETURNING d.attempts INTO STRICT attempt;
    decision := 'send';
    url := v_endpoint.url;
    SELECT
        e.message_id,
        e.payload::text
    INTO STRICT message_id, body
    FROM public.webhook_event AS e
    WHERE e.customer_id = p_customer_id AND e.id = v_delivery.event_id;
    SELECT
        array_agg(s.ciphertext ORDER BY s.id DESC),
        array_agg(s.key_id ORDER BY s.id DESC)
    INTO STRICT ciphertexts, key_ids
    FROM public.webhook_secret AS s
    WHERE
        s.customer_id = p_customer_id
        AND s.endpoint_id = v_endpoint.id
        AND (s.expires_at IS NULL OR s.expires_at > v_now);
    RETURN NEXT;
END;
$function$;

COMMENT ON FUNCTION webhooks.begin_attempt(bigint, bigint) IS
'Decides whether a delivery is attempted now. send: the attempt is the caller''s alone for webhooks.lease_length(), to be sent as it stands (body is signed with each secret, newest first) and then told to webhooks.finish_attempt with its number. postpone: it stays pending, and will be queued when there is room (an endpoint''s max_in_flight, 40 for a customer), its breaker lets it, or it is due. drop: there is nothing to do: it is gone, finished, under way or, of a disabled endpoint or suspended customer, now cancelled. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION webhooks.begin_attempt(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.begin_attempt(bigint, bigint) TO claimdrift_platform;
