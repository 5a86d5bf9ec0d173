CREATE OR REPLACE FUNCTION tenancy.revoke_token(
    p_customer_id bigint,
    p_token_id bigint
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
-- DEFINER: tokens are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    DELETE FROM public.api_token AS t
    WHERE t.customer_id = p_customer_id AND t.id = p_token_id;
    RETURN FOUND;
END;
$function$;

COMMENT ON FUNCTION tenancy.revoke_token(bigint, bigint) IS
'Deletes a token of a customer, which ends it at once. Returns false where there is none. Raises PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION tenancy.revoke_token(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.revoke_token(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
