CREATE OR REPLACE FUNCTION webhooks.queue(
    p_delivery_ids bigint[]
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
-- procrastinate's functions name its tables without a schema, hence public.
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_jobs procrastinate_job_to_defer_v1[];
    v_job_ids bigint[];
    v_queued int;
BEGIN
    WITH waiting AS (
        SELECT
            d.customer_id,
            d.id,
            d.next_attempt_at,
            ahead.deliveries
            + row_number() OVER (PARTITION BY d.endpoint_id ORDER BY d.next_attempt_at, d.id)
                AS place
        FROM public.webhook_delivery AS d
        JOIN public.webhook_endpoint AS w
            ON w.customer_id = d.customer_id AND w.id = d.endpoint_id AND w.status = 'active'
        CROSS JOIN LATERAL (
            SELECT count(*) AS deliveries
            FROM (
                SELECT
                FROM public.webhook_delivery AS other
                WHERE
                    other.customer_id = d.customer_id
                    AND other.endpoint_id = d.endpoint_id
                    AND other.status = 'pending'
                    AND other.next_attempt_at <= d.next_attempt_at
                    AND other.id < p_delivery_ids[1]
                LIMIT 1000
            ) AS pending
        ) AS ahead
        WHERE d.id = ANY(p_delivery_ids) AND d.status = 'pending'
    )

    SELECT array_agg(
        ROW(
            'webhooks',
            'core.tasks.deliver',
            -- Who has much to send sends it when nobody else has something: the first ten of each
            -- endpoint go before anybody's next ten.
            -((w.place - 1) / 10)::int,
            NULL,
            NULL,
            jsonb_build_object('customer_id', w.customer_id, 'delivery_id', w.id),
            CASE WHEN w.next_attempt_at > clock_timestamp() THEN w.next_attempt_at END
        )::procrastinate_job_to_defer_v1
        ORDER BY w.id
    )
    INTO STRICT v_jobs
    FROM waiting AS w;
    IF v_jobs IS NULL THEN
        RETURN 0;
    END IF;

    v_job_ids := procrastinate_defer_jobs_v1(v_jobs);
    UPDATE public.webhook_delivery AS d
    SET job_id = j.id
    FROM public.procrastinate_jobs AS j
    WHERE j.id = ANY(v_job_ids) AND d.id = (j.args ->> 'delivery_id')::bigint;
    GET DIAGNOSTICS v_queued = ROW_COUNT;
    RETURN v_queued;
END;
$function$;

COMMENT ON FUNCTION webhooks.queue(bigint[]) IS
'Queues a job for each of these deliveries (in the order of their ids) that is pending and whose endpoint is active, at the time it is due. The more an endpoint has waiting, the lower the priority. Returns how many.';

REVOKE ALL ON FUNCTION webhooks.queue(bigint[]) FROM public;
