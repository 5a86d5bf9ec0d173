CREATE OR REPLACE FUNCTION webhooks.retry_after(
    p_header text,
    p_now timestamp with time zone
)
RETURNS interval
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $function$
    SELECT CASE
        -- Spelt out: \s and \d mean those of other scripts as well.
        WHEN p_header ~ '^[ \t]*[0-9]+[ \t]*$'
            THEN make_interval(secs => least(btrim(p_header, E' \t')::numeric, 86400)::int)
        -- Cut the form that is asked for out of RFC 9110, not what else the parser would take for
        -- a time, such as "tomorrow".
        WHEN
            p_header ~ '^[ \t]*[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT[ \t]*$'
            AND pg_input_is_valid(substring(p_header FROM '[0-9].*GMT'), 'timestamptz')
            THEN least(
                greatest(substring(p_header FROM '[0-9].*GMT')::timestamptz - p_now, interval '0'),
                interval '24 hours'
            )
    END;
$function$;

COMMENT ON FUNCTION webhooks.retry_after(text, timestamp with time zone) IS
'How long a Retry-After header asks to wait, from seconds or an HTTP date (RFC 9110, IMF-fixdate): 0 to 24 hours. NULL for none, or one that says neither.';

REVOKE ALL ON FUNCTION webhooks.retry_after(text, timestamp with time zone) FROM public;
