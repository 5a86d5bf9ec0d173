CREATE OR REPLACE FUNCTION tenancy.revoke_tokens(
    p_customer_id bigint,
    p_user_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: tokens are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    DELETE FROM public.api_token AS t
    WHERE t.customer_id = p_customer_id AND t.user_id = coalesce(p_user_id, t.user_id);
END;
$function$;

COMMENT ON FUNCTION tenancy.revoke_tokens(bigint, bigint) IS
'Deletes all tokens of a user (NULL: of everybody) at a customer; called by trigger when a membership ends. Raises PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION tenancy.revoke_tokens(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.revoke_tokens(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
