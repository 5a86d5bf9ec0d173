CREATE OR REPLACE FUNCTION tenancy.revoke_superuser_token(
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
    DELETE FROM public.api_token AS t
    WHERE t.id = p_token_id AND t.customer_id IS NULL;
    RETURN FOUND;
END;
$function$;

COMMENT ON FUNCTION tenancy.revoke_superuser_token(bigint) IS
'Deletes a superuser''s token, which ends it at once. Returns false where there is none.';

REVOKE ALL ON FUNCTION tenancy.revoke_superuser_token(bigint) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.revoke_superuser_token(bigint) TO claimdrift_platform;
