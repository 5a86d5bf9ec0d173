CREATE OR REPLACE FUNCTION tenancy.forgive_login(
    p_account text
)
RETURNS void
LANGUAGE sql
VOLATILE
-- DEFINER: no runtime role may touch what is counted.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    DELETE FROM public.login_throttle
    WHERE key = encode(sha256(convert_to('account:' || lower(p_account), 'UTF8')), 'hex');
$function$;

COMMENT ON FUNCTION tenancy.forgive_login(text) IS
'Forgets the attempts counted for an account, once its password was right. Those of the address stay: one account of one''s own must not buy guesses at others.';

REVOKE ALL ON FUNCTION tenancy.forgive_login(text) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.forgive_login(text) TO claimdrift_web;
