CREATE OR REPLACE FUNCTION drift.settings_of(
    p_customer_id bigint
)
RETURNS public.drift_settings
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_settings public.drift_settings;
BEGIN
    PERFORM tenancy.find_customer(p_customer_id => p_customer_id);
    SELECT s.*
    INTO STRICT v_settings
    FROM public.drift_settings AS s
    WHERE s.customer_id = p_customer_id;
    RETURN v_settings;
END;
$function$;

COMMENT ON FUNCTION drift.settings_of(bigint) IS
'The drift settings of a customer, which exist from the moment it does. Raises PD004 for an unknown one.';

REVOKE ALL ON FUNCTION drift.settings_of(bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.settings_of(bigint) TO claimdrift_tenant, claimdrift_platform;
