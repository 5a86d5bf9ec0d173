CREATE OR REPLACE FUNCTION alerts.band(
    p_severity double precision
)
RETURNS text
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
    SELECT CASE WHEN p_severity < 0.4 THEN 'info' WHEN p_severity < 0.7 THEN 'warning' ELSE 'critical' END;
$function$;

COMMENT ON FUNCTION alerts.band(double precision) IS
'The level that a severity (0 to 1) stands for: info below 0.4, warning below 0.7, else critical.';

REVOKE ALL ON FUNCTION alerts.band(double precision) FROM public;
GRANT EXECUTE ON FUNCTION alerts.band(double precision) TO claimdrift_tenant, claimdrift_platform;
