CREATE OR REPLACE FUNCTION webhooks.check_sendable(
    p_endpoint public.webhook_endpoint,
    p_statuses text[]
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
AS $function$
BEGIN
    IF p_endpoint.status <> ALL(p_statuses) THEN
        RAISE EXCEPTION 'the webhook endpoint takes nothing'
            USING
                ERRCODE = 'PD017',
                DETAIL = format('Webhook endpoint %s is %s.', p_endpoint.id, p_endpoint.status),
                HINT = 'Resume it first.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION webhooks.check_sendable(public.webhook_endpoint, text[]) IS
'Raises PD017 unless the endpoint has one of these statuses.';

REVOKE ALL ON FUNCTION webhooks.check_sendable(public.webhook_endpoint, text[]) FROM public;
