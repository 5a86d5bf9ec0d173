CREATE OR REPLACE FUNCTION webhooks.customer_capacity()
RETURNS int
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT 40;
$function$;

COMMENT ON FUNCTION webhooks.customer_capacity() IS
'How many attempts of one customer, at all its endpoints, may be under way at once: fewer than one worker has room for.';

REVOKE ALL ON FUNCTION webhooks.customer_capacity() FROM public;
