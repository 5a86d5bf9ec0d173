CREATE OR REPLACE FUNCTION drift.say_number(
    p_number double precision,
    p_metric text DEFAULT NULL
)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT
        CASE
            WHEN p_number IS NULL THEN 'unknown'
            WHEN p_metric = 'DENIAL_RATE' THEN to_char(100 * p_number, 'FM9990.0') || ' %'
            WHEN p_metric IN ('DECISION_DAYS', 'SILENCE')
                THEN rtrim(to_char(p_number, 'FM999990.9'), '.') || ' days'
            WHEN p_number = 0 OR abs(p_number) >= 0.001
                THEN rtrim(to_char(p_number, 'FM999990.999'), '.')
            ELSE regexp_replace(btrim(to_char(p_number, '9.9EEEE')), 'e-0*', 'e-')
        END;
$function$;

COMMENT ON FUNCTION drift.say_number(double precision, text) IS
'A number for people to read: as a value of the metric (10.0 %, 12.5 days), or with NULL as it is, with three decimals or as 1.2e-6 when it is small.';

REVOKE ALL ON FUNCTION drift.say_number(double precision, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.say_number(double precision, text)
TO claimdrift_tenant, claimdrift_platform;
