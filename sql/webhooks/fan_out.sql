CREATE OR REPLACE FUNCTION webhooks.fan_out(
    p_event_ids bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_delivery_ids bigint[];
BEGIN
    WITH wanting AS MATERIALIZED (
        SELECT
            e.id AS event_id,
            w.customer_id,
            w.id AS endpoint_id
        FROM public.webhook_event AS e
        JOIN public.customer AS c ON c.id = e.customer_id AND c.status = 'active'
        JOIN public.webhook_endpoint AS w ON w.customer_id = e.customer_id
        WHERE
            e.id = ANY(p_event_ids)
            -- A test is for one endpoint only: webhooks.send_test.
            AND e.type <> 'webhook.test'
            -- While it is disabled, nothing waits: webhooks.recover makes up for it.
            AND w.status <> 'disabled'
            AND (cardinality(w.event_types) = 0 OR e.type = ANY(w.event_types))
        -- One that is being deleted must not take down what happened.
        FOR KEY SHARE OF w
    ),

    created AS (
        INSERT INTO public.webhook_delivery (customer_id, event_id, endpoint_id)
        SELECT
            w.customer_id,
            w.event_id,
            w.endpoint_id
        FROM wanting AS w
        ORDER BY w.event_id, w.endpoint_id
        ON CONFLICT (customer_id, event_id, endpoint_id) DO NOTHING
        RETURNING id
    )

    SELECT array_agg(c.id ORDER BY c.id)
    INTO STRICT v_delivery_ids
    FROM created AS c;
    PERFORM webhooks.queue(v_delivery_ids);
END;
$function$;

COMMENT ON FUNCTION webhooks.fan_out(bigint[]) IS
'Makes a delivery, and its job, of each event to each endpoint of its customer that is not disabled and wants its type. Called by trigger on webhook_event, in its transaction: so they exist if and only if what happened was committed.';

REVOKE ALL ON FUNCTION webhooks.fan_out(bigint[]) FROM public;
