CREATE OR REPLACE FUNCTION webhooks.has_room(
    p_customer_id bigint,
    p_delivery_id bigint
)
RETURNS boolean
LANGUAGE sql
STABLE
AS $function$
    SELECT
        w.unavailable_count = 0
        AND w.failing_since IS NULL
        AND w.status = 'active'
        AND leased.endpoint < w.max_in_flight
        AND leased.customer < webhooks.customer_capacity()
        AND NOT EXISTS (
            SELECT FROM public.webhook_delivery AS waiting
            WHERE
                waiting.customer_id = p_customer_id
                AND waiting.endpoint_id = w.id
                AND waiting.status = 'pending'
                AND waiting.job_id IS NULL
                AND waiting.leased_until IS NULL
                AND waiting.next_attempt_at <= clock_timestamp()
        )
    FROM public.webhook_delivery AS d
    JOIN public.webhook_endpoint AS w ON w.customer_id = d.customer_id AND w.id = d.endpoint_id
    CROSS JOIN LATERAL (
        SELECT
            count(*) FILTER (WHERE other.endpoint_id = w.id) AS endpoint,
            count(*) AS customer
        FROM public.webhook_delivery AS other
        WHERE other.customer_id = p_customer_id AND other.leased_until IS NOT NULL
    ) AS leased
    WHERE d.customer_id = p_customer_id AND d.id = p_delivery_id;
$function$;

COMMENT ON FUNCTION webhooks.has_room(bigint, bigint) IS
'Whether the endpoint of a delivery is healthy and has nothing waiting for one of the attempts at it to finish. NULL for no such delivery.';

REVOKE ALL ON FUNCTION webhooks.has_room(bigint, bigint) FROM public;
