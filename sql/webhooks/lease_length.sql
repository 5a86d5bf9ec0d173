CREATE OR REPLACE FUNCTION webhooks.lease_length()
RETURNS interval
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- Four times the deadline of a request, so that only a worker that is lost outlives it.
    SELECT interval '60 seconds';
$function$;

COMMENT ON FUNCTION webhooks.lease_length() IS
'How long an attempt is its worker''s alone. After that somebody else may begin another one, and the first can''t finish any more.';

REVOKE ALL ON FUNCTION webhooks.lease_length() FROM public;
