CREATE OR REPLACE FUNCTION tenancy.authenticate(
    p_digest text
)
RETURNS TABLE (
    token_id bigint,
    scope text,
    user_id bigint,
    email text,
    is_superuser boolean,
    customer_id bigint,
    role text
)
LANGUAGE plpgsql
VOLATILE
-- DEFINER: it runs before any context exists, for a login that may read nothing itself.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_now CONSTANT timestamp with time zone := clock_timestamp();
    v_is_stale boolean;
BEGIN
    SELECT
        t.id,
        t.scope,
        u.id,
        u.email,
        u.is_superuser AND t.customer_id IS NULL,
        t.customer_id,
        m.role,
        t.last_used_at IS NULL OR t.last_used_at < v_now - interval '1 minute'
    INTO token_id, scope, user_id, email, is_superuser, customer_id, role, v_is_stale
    FROM public.api_token AS t
    JOIN public.user AS u ON u.id = t.user_id
    LEFT JOIN public.customer AS c ON c.id = t.customer_id
    LEFT JOIN public.membership AS m
        ON m.customer_id = t.customer_id AND m.user_id = t.user_id
    WHERE
        t.digest = p_digest
        AND t.expires_at > v_now
        AND u.is_active
        AND (
            (t.customer_id IS NULL AND u.is_superuser)
            OR (c.status = 'active' AND m.role IS NOT NULL)
        );
    IF NOT FOUND THEN
        RETURN;
    END IF;

    -- Once a minute is exact enough. Whoever holds the row is noting the same.
    IF v_is_stale THEN
        UPDATE public.api_token AS t
        SET last_used_at = v_now
        WHERE t.id = (
            SELECT s.id FROM public.api_token AS s WHERE s.id = token_id FOR UPDATE SKIP LOCKED
        );
    END IF;
    RETURN NEXT;
END;
$function$;

COMMENT ON FUNCTION tenancy.authenticate(text) IS
'Whose token this is, by its SHA-256 digest (hexadecimal), with the role that its user has right now: one row; none for a token that is unknown or expired, whose user is disabled or no member any more, or whose customer is suspended. customer_id and role are NULL for a superuser''s token. Notes the use, at most once a minute; call it outside of the request''s transaction.';

REVOKE ALL ON FUNCTION tenancy.authenticate(text) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.authenticate(text) TO claimdrift_web;
