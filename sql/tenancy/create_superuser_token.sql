CREATE OR REPLACE FUNCTION tenancy.create_superuser_token(
    p_user_id bigint,
    p_name text,
    p_prefix text,
    p_digest text,
    p_scope text,
    p_expires_at timestamp with time zone
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: tokens are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM FROM public.user AS u
    WHERE u.id = p_user_id AND u.is_active AND u.is_superuser
    FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no superuser to give a token to'
            USING
                ERRCODE = 'PD012',
                HINT = 'A token for all customers is for an active superuser.';
    END IF;
    RETURN tenancy.add_token(
        p_customer_id => NULL,
        p_user_id => p_user_id,
        p_name => p_name,
        p_prefix => p_prefix,
        p_digest => p_digest,
        p_scope => p_scope,
        p_expires_at => p_expires_at
    );
END;
$function$;

COMMENT ON FUNCTION tenancy.create_superuser_token(
    bigint, text, text, text, text, timestamp with time zone
) IS
'Adds a token for a superuser, which works at all customers, and returns its id; parameters like tenancy.create_token. Raises PD012 when the user is no active superuser.';

REVOKE ALL ON FUNCTION tenancy.create_superuser_token(
    bigint, text, text, text, text, timestamp with time zone
)
FROM public;
GRANT EXECUTE ON FUNCTION tenancy.create_superuser_token(
    bigint, text, text, text, text, timestamp with time zone
)
TO claimdrift_platform;
