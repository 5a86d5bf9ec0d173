CREATE OR REPLACE FUNCTION maintenance.prune_access(
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
    v_now CONSTANT timestamp with time zone := clock_timestamp();
    v_tokens bigint;
    v_throttles bigint;
BEGIN
    DELETE FROM public.api_token AS t
    WHERE t.id IN (
        SELECT expired.id
        FROM public.api_token AS expired
        WHERE expired.expires_at < v_now - interval '30 days'
        ORDER BY expired.id
        LIMIT p_batch
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS v_tokens = ROW_COUNT;

    -- Far longer than what tenancy.count_login looks back.
    DELETE FROM public.login_throttle AS t
    WHERE t.key IN (
        SELECT old.key
        FROM public.login_throttle AS old
        WHERE old.started_at < v_now - interval '1 day'
        ORDER BY old.key
        LIMIT p_batch
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS v_throttles = ROW_COUNT;

    RETURN QUERY
    VALUES
        ('api_token', v_tokens),
        ('login_throttle', v_throttles);
END;
$function$;

COMMENT ON FUNCTION maintenance.prune_access(int) IS
'Deletes tokens that expired 30 days ago, and counts of attempts to sign in that are a day old: at most p_batch of each. Part of maintenance.prune.';

REVOKE ALL ON FUNCTION maintenance.prune_access(int) FROM public;
