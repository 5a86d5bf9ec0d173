CREATE OR REPLACE FUNCTION tenancy.check_time_zone(
    p_time_zone text
)
RETURNS void
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_timezone_names AS zone WHERE zone.name = p_time_zone
    ) THEN
        RAISE EXCEPTION 'unknown time zone'
            USING
                ERRCODE = 'PD009',
                DETAIL = format('There is no time zone named %L.', p_time_zone),
                HINT = 'Use a name of the IANA database, such as America/New_York.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION tenancy.check_time_zone(text) IS
'Raises PD009 unless the argument names a time zone of the IANA database; called by trigger on customer.';

REVOKE ALL ON FUNCTION tenancy.check_time_zone(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.check_time_zone(text) TO claimdrift_platform;
