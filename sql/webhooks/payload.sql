CREATE OR REPLACE FUNCTION webhooks.payload(
    p_type text,
    p_at timestamp with time zone,
    p_data jsonb
)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT jsonb_build_object(
        'type', p_type,
        'timestamp', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', p_data
    );
$function$;

COMMENT ON FUNCTION webhooks.payload(text, timestamp with time zone, jsonb) IS
'The body of a webhook as Standard Webhooks has it: type, timestamp (UTC, ISO 8601) and data.';

REVOKE ALL ON FUNCTION webhooks.payload(text, timestamp with time zone, jsonb) FROM public;
