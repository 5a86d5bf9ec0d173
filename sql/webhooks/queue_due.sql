CREATE OR REPLACE FUNCTION webhooks.queue_due(
    p_customer_id bigint
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
-- DEFINER: deliveries are written by stored functions only, and the queue belongs to the worker.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_now timestamp with time zone;
    v_room bigint;
    v_delivery_ids bigint[];
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    v_now := clock_timestamp();
    SELECT webhooks.customer_capacity() - count(*)
    INTO STRICT v_room
    FROM public.webhook_delivery AS d
    WHERE d.customer_id = p_customer_id AND d.leased_until IS NOT NULL;

    SELECT array_agg(due.id ORDER BY due.id)
    INTO STRICT v_delivery_ids
    FROM public.webhook_endpoint AS w
    CROSS JOIN LATERAL (
        SELECT count(*) AS deliveries
        FROM public.webhook_delivery AS d
        WHERE d.customer_id = w.customer_id AND d.endpoint_id = w.id AND d.leased_until IS NOT NULL
    ) AS leased
    CROSS JOIN LATERAL (
        SELECT count(*) AS deliveries
        FROM (
            SELECT
            FROM public.webhook_delivery AS d
            WHERE
                d.customer_id = w.customer_id
                AND d.endpoint_id = w.id
                AND d.status = 'pending'
                AND d.job_id IS NOT NULL
                AND d.next_attempt_at <= v_now
            LIMIT webhooks.capacity(w, v_now)
        ) AS first_ones
    ) AS queued
    CROSS JOIN LATERAL (
        SELECT d.id
        FROM public.webhook_delivery AS d
        WHERE
            d.customer_id = w.customer_id
            AND d.endpoint_id = w.id
            AND d.status = 'pending'
            AND d.job_id IS NULL
            AND d.leased_until IS NULL
            AND d.next_attempt_at <= v_now
        ORDER BY d.next_attempt_at, d.id
        -- One each that waits for the customer's room, however little there is: the rest follows
        -- that one.
        LIMIT greatest(
            least(
                webhooks.capacity(w, v_now) - leased.deliveries - queued.deliveries,
                greatest(v_room, 1) - queued.deliveries
            ),
            0
        )
        -- What is being finished, replayed or cancelled just now is somebody else's business.
        FOR NO KEY UPDATE OF d SKIP LOCKED
    ) AS due
    WHERE w.customer_id = p_customer_id AND webhooks.capacity(w, v_now) > 0;
    RETURN webhooks.queue(v_delivery_ids);
END;
$function$;

COMMENT ON FUNCTION webhooks.queue_due(bigint) IS
'Queues a job for each delivery of a customer that is due and has none, as many as its endpoint has room for: the rest follows as attempts finish. Returns how many. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION webhooks.queue_due(bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.queue_due(bigint) TO claimdrift_platform;
