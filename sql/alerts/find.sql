CREATE OR REPLACE FUNCTION alerts.find(
    p_customer_id bigint,
    p_alert_id bigint
)
RETURNS public.alert
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_alert public.alert;
BEGIN
    SELECT a.*
    INTO v_alert
    FROM public.alert AS a
    WHERE a.customer_id = p_customer_id AND a.id = p_alert_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown alert'
            USING
                ERRCODE = 'PD006',
                DETAIL = format('Customer %s has no alert %s.', p_customer_id, p_alert_id),
                HINT = 'Look the id up in alert.';
    END IF;
    RETURN v_alert;
END;
$function$;

COMMENT ON FUNCTION alerts.find(bigint, bigint) IS
'An alert of the customer. Raises PD006 when there is none with this id.';

REVOKE ALL ON FUNCTION alerts.find(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION alerts.find(bigint, bigint) TO claimdrift_tenant, claimdrift_platform;
