CREATE OR REPLACE FUNCTION webhooks.end_delivery(
    p_delivery_id bigint,
    p_status text,
    p_status_code int,
    p_error text
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    UPDATE public.webhook_delivery AS d
    SET
        status = p_status,
        next_attempt_at = NULL,
        leased_until = NULL,
        job_id = NULL,
        last_status_code = p_status_code,
        last_error = p_error,
        failures = d.failures + (p_status = 'failed')::int,
        finished_at = clock_timestamp()
    WHERE d.id = p_delivery_id;
$function$;

COMMENT ON FUNCTION webhooks.end_delivery(bigint, text, int, text) IS
'Ends a delivery as delivered, failed or cancelled, with the status code and the error of its last attempt.';

REVOKE ALL ON FUNCTION webhooks.end_delivery(bigint, text, int, text) FROM public;
