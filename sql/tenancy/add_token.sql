CREATE OR REPLACE FUNCTION tenancy.add_token(
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
AS $function$
DECLARE
    v_token_id bigint;
BEGIN
    INSERT INTO public.api_token (
        customer_id, user_id, name, prefix, digest, scope, created_at, expires_at
    )
    VALUES (
        p_customer_id, p_user_id, p_name, p_prefix, p_digest, p_scope, clock_timestamp(),
        p_expires_at
    )
    RETURNING id INTO STRICT v_token_id;
    RETURN v_token_id;
END;
$function$;

COMMENT ON FUNCTION tenancy.add_token(
    bigint, bigint, text, text, text, text, timestamp with time zone
) IS
'Adds a token and returns its id. The last step of tenancy.create_token and create_superuser_token, which ask whether it may be.';

REVOKE ALL ON FUNCTION tenancy.add_token(
    bigint, bigint, text, text, text, text, timestamp with time zone
)
FROM public;
