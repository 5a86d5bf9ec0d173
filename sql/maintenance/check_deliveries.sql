CREATE OR REPLACE FUNCTION maintenance.check_deliveries()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE sql
STABLE
AS $function$
    SELECT
        'delivery_forgotten',
        d.customer_id,
        d.id,
        format('is due since %s, and no job is there for it', d.next_attempt_at)
    FROM public.webhook_delivery AS d
    JOIN public.webhook_endpoint AS w ON w.customer_id = d.customer_id AND w.id = d.endpoint_id
    WHERE
        d.status = 'pending'
        -- The sweep comes every minute, and queues no more than there is room for.
        AND d.next_attempt_at < now() - interval '10 minutes'
        AND w.status = 'active'
        AND w.unavailable_count = 0
        AND coalesce(d.leased_until, '-infinity') < now() - interval '10 minutes'
        AND NOT EXISTS (
            SELECT FROM public.webhook_delivery AS other
            WHERE
                other.customer_id = d.customer_id
                AND other.endpoint_id = d.endpoint_id
                AND (other.job_id IS NOT NULL OR other.leased_until > now())
        )

    UNION ALL
    SELECT
        'delivery_attempts',
        d.customer_id,
        d.id,
        format('counts %s attempts, %s of them finished; %s are there', d.attempts, f.count, a.count)
    FROM public.webhook_delivery AS d
    CROSS JOIN LATERAL (SELECT d.attempts - (d.leased_until IS NOT NULL)::int AS count) AS f
    CROSS JOIN LATERAL (
        SELECT count(*) AS count
        FROM public.webhook_attempt AS t
        WHERE t.customer_id = d.customer_id AND t.delivery_id = d.id
    ) AS a
    WHERE a.count <> f.count

    UNION ALL
    SELECT
        'endpoint_secret',
        w.customer_id,
        w.id,
        'has no secret to sign with'
    FROM public.webhook_endpoint AS w
    WHERE NOT EXISTS (
        SELECT FROM public.webhook_secret AS s
        WHERE s.customer_id = w.customer_id AND s.endpoint_id = w.id AND s.expires_at IS NULL
    );
$function$;

COMMENT ON FUNCTION maintenance.check_deliveries() IS
'Whether webhooks are on their way: delivery_forgotten (due for ten minutes at a healthy endpoint where nothing is being done; maintenance.requeue_deliveries helps), delivery_attempts (an attempt without its row, or the other way round), endpoint_secret (an endpoint that could not sign). object_id is the delivery or the endpoint. Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_deliveries() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_deliveries() TO claimdrift_platform;
