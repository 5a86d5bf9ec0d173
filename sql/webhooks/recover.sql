CREATE OR REPLACE FUNCTION webhooks.recover(
    p_customer_id bigint,
    p_endpoint_id bigint,
    p_since timestamp with time zone
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
-- DEFINER: deliveries are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_endpoint public.webhook_endpoint;
    v_undelivered bigint[];
    v_missed bigint[];
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM webhooks.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    v_endpoint := webhooks.find_endpoint(
        p_customer_id => p_customer_id, p_endpoint_id => p_endpoint_id
    );
    PERFORM webhooks.check_sendable(p_endpoint => v_endpoint, p_statuses => '{active,paused}');

    SELECT array_agg(d.id ORDER BY d.id)
    INTO STRICT v_undelivered
    FROM public.webhook_event AS e
    JOIN public.webhook_delivery AS d ON d.customer_id = e.customer_id AND d.event_id = e.id
    WHERE
        e.customer_id = p_customer_id
        AND e.occurred_at >= p_since
        AND d.endpoint_id = p_endpoint_id
        AND d.status IN ('failed', 'cancelled')
        AND e.type <> 'webhook.test';
    WITH missed AS (
        INSERT INTO public.webhook_delivery (customer_id, event_id, endpoint_id)
        SELECT
            e.customer_id,
            e.id,
            p_endpoint_id
        FROM public.webhook_event AS e
        WHERE
            e.customer_id = p_customer_id
            AND e.occurred_at >= p_since
            AND e.type <> 'webhook.test'
            -- Nobody is told of their own end: it would come when it is over.
            AND (
                e.type <> 'endpoint.disabled'
                OR (e.payload #>> '{data,endpoint_id}')::bigint <> p_endpoint_id
            )
            AND (cardinality(v_endpoint.event_types) = 0 OR e.type = ANY(v_endpoint.event_types))
        ORDER BY e.id
        ON CONFLICT (customer_id, event_id, endpoint_id) DO NOTHING
        RETURNING id
    )

    SELECT array_agg(m.id ORDER BY m.id)
    INTO STRICT v_missed
    FROM missed AS m;
    PERFORM webhooks.queue(v_missed);
    RETURN webhooks.restart(v_undelivered) + coalesce(cardinality(v_missed), 0);
END;
$function$;

COMMENT ON FUNCTION webhooks.recover(bigint, bigint, timestamp with time zone) IS
'Sends an endpoint what happened since a time and did not reach it: failed and cancelled deliveries again, and events for which it has none (it was disabled, or is newer), of the types that it wants. Returns how many. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer, PD016 for an unknown endpoint, PD017 for one that is disabled.';

REVOKE ALL ON FUNCTION webhooks.recover(bigint, bigint, timestamp with time zone) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.recover(bigint, bigint, timestamp with time zone)
TO claimdrift_tenant, claimdrift_platform;
