CREATE OR REPLACE FUNCTION tenancy.count_login(
    p_account text,
    p_address text
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
-- DEFINER: it counts for somebody who isn't signed in.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_window CONSTANT interval := '15 minutes';
    v_now CONSTANT timestamp with time zone := clock_timestamp();
    v_wait int;
BEGIN
    WITH counted AS (
        INSERT INTO public.login_throttle AS t (key, started_at, attempts)
        SELECT
            encode(sha256(convert_to(k.kind || lower(k.name), 'UTF8')), 'hex'),
            v_now,
            1
        FROM (VALUES ('account:', p_account), ('address:', p_address)) AS k (kind, name)
        -- In the order of the key, or two attempts could wait for each other.
        ORDER BY 1
        ON CONFLICT (key) DO UPDATE SET
            started_at = CASE
                WHEN t.started_at <= v_now - v_window THEN v_now ELSE t.started_at
            END,
            attempts = CASE WHEN t.started_at <= v_now - v_window THEN 1 ELSE t.attempts + 1 END
        RETURNING t.key, t.started_at, t.attempts
    )

    SELECT
        ceil(extract(EPOCH FROM max(c.started_at) + v_window - v_now))
    INTO v_wait
    FROM counted AS c
    WHERE c.attempts > CASE
        WHEN c.key = encode(sha256(convert_to('account:' || lower(p_account), 'UTF8')), 'hex')
            THEN 10
        ELSE 100
    END;
    RETURN greatest(v_wait, 0);
END;
$function$;

COMMENT ON FUNCTION tenancy.count_login(text, text) IS
'Counts an attempt to sign in, before the password is looked at, and returns the seconds to wait: 0 when it may go on. Within 15 minutes an account allows 10 attempts, an address 100. Call it outside of the request''s transaction, which may be rolled back.';

REVOKE ALL ON FUNCTION tenancy.count_login(text, text) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.count_login(text, text) TO claimdrift_web;
