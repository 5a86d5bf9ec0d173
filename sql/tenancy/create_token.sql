CREATE OR REPLACE FUNCTION tenancy.create_token(
    p_customer_id bigint,
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
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);
    -- The lock keeps the membership until the token is there to be revoked with it.
    PERFORM FROM public.membership AS m
    WHERE m.customer_id = p_customer_id AND m.user_id = p_user_id
    FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no member to give a token to'
            USING
                ERRCODE = 'PD012',
                HINT = 'Add the user to the customer first.';
    END IF;
    RETURN tenancy.add_token(
        p_customer_id => p_customer_id,
        p_user_id => p_user_id,
        p_name => p_name,
        p_prefix => p_prefix,
        p_digest => p_digest,
        p_scope => p_scope,
        p_expires_at => p_expires_at
    );
END;
$function$;

COMMENT ON FUNCTION tenancy.create_token(
    bigint, bigint, text, text, text, text, timestamp with time zone
) IS
'Adds a token for a member of a customer and returns its id. p_digest is the SHA-256 of the token in hexadecimal, p_prefix its first characters, p_scope read or write. Raises PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer, PD012 when the user is no member.';

REVOKE ALL ON FUNCTION tenancy.create_token(
    bigint, bigint, text, text, text, text, timestamp with time zone
)
FROM public;
GRANT EXECUTE ON FUNCTION tenancy.create_token(
    bigint, bigint, text, text, text, text, timestamp with time zone
)
TO claimdrift_tenant, claimdrift_platform;
