CREATE OR REPLACE FUNCTION maintenance.prune_webhooks(
    p_before timestamp with time zone,
    p_batch int
)
RETURNS TABLE (
    table_name text,
    rows_deleted bigint
)
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_delivery_ids bigint[];
    v_secrets bigint;
    v_attempts bigint;
    v_deliveries bigint;
    v_events bigint;
BEGIN
    DELETE FROM public.webhook_secret AS s
    WHERE s.id IN (
        SELECT expired.id
        FROM public.webhook_secret AS expired
        WHERE expired.expires_at < p_before
        ORDER BY expired.id
        LIMIT p_batch
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS v_secrets = ROW_COUNT;

    -- One that is being replayed is skipped.
    SELECT array_agg(finished.id)
    INTO STRICT v_delivery_ids
    FROM (
        SELECT d.id
        FROM public.webhook_delivery AS d
        WHERE d.finished_at < p_before
        ORDER BY d.id
        LIMIT p_batch
        FOR UPDATE SKIP LOCKED
    ) AS finished;
    DELETE FROM public.webhook_attempt AS a
    USING public.webhook_delivery AS d
    WHERE
        d.id = ANY(v_delivery_ids)
        AND a.customer_id = d.customer_id
        AND a.delivery_id = d.id;
    GET DIAGNOSTICS v_attempts = ROW_COUNT;
    DELETE FROM public.webhook_delivery AS d
    WHERE d.id = ANY(v_delivery_ids);
    GET DIAGNOSTICS v_deliveries = ROW_COUNT;

    DELETE FROM public.webhook_event AS e
    WHERE e.id IN (
        SELECT old.id
        FROM public.webhook_event AS old
        WHERE
            old.occurred_at < p_before
            AND NOT EXISTS (
                SELECT FROM public.webhook_delivery AS d
                WHERE d.customer_id = old.customer_id AND d.event_id = old.id
            )
        ORDER BY old.id
        LIMIT p_batch
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS v_events = ROW_COUNT;

    RETURN QUERY
    VALUES
        ('webhook_secret', v_secrets),
        ('webhook_attempt', v_attempts),
        ('webhook_delivery', v_deliveries),
        ('webhook_event', v_events);
END;
$function$;

COMMENT ON FUNCTION maintenance.prune_webhooks(timestamp with time zone, int) IS
'Deletes what is over since before a time: secrets that were replaced, deliveries that ended, with their attempts, and events without deliveries: at most p_batch secrets, deliveries and events. Part of maintenance.prune.';

REVOKE ALL ON FUNCTION maintenance.prune_webhooks(timestamp with time zone, int) FROM public;
