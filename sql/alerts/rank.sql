CREATE OR REPLACE FUNCTION alerts.rank(
    p_level text
)
RETURNS int
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
    SELECT array_position(ARRAY['info', 'warning', 'critical'], p_level);
$function$;

COMMENT ON FUNCTION alerts.rank(text) IS
'The order of levels: info 1, warning 2, critical 3; NULL for anything else.';

REVOKE ALL ON FUNCTION alerts.rank(text) FROM public;
GRANT EXECUTE ON FUNCTION alerts.rank(text) TO claimdrift_tenant, claimdrift_platform;
