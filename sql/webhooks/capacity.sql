CREATE OR REPLACE FUNCTION webhooks.capacity(
    p_endpoint public.webhook_endpoint,
    p_now timestamp with time zone
)
RETURNS int
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT CASE
        WHEN p_endpoint.status <> 'active' OR p_endpoint.blocked_until > p_now THEN 0
        -- The breaker is half open: one attempt finds out whether it is there again.
        WHEN p_endpoint.unavailable_count >= 5 THEN 1
        ELSE p_endpoint.max_in_flight
    END;
$function$;

COMMENT ON FUNCTION webhooks.capacity(public.webhook_endpoint, timestamp with time zone) IS
'How many attempts at an endpoint may be under way at once: none unless it is active or while its breaker is open, one where the last five or more weren''t answered, else its max_in_flight.';

REVOKE ALL ON FUNCTION webhooks.capacity(
    public.webhook_endpoint, timestamp with time zone
)
FROM public;
