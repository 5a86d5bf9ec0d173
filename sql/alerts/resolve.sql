CREATE OR REPLACE FUNCTION alerts.resolve(
    p_customer_id bigint,
    p_alert_id bigint,
    p_actor_id bigint,
    p_note text DEFAULT NULL,
    p_new_normal boolean DEFAULT FALSE
)
RETURNS int
LANGUAGE plpgsql
VOLATILE
-- DEFINER: alerts and transitions are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    RETURN alerts.move(
        p_customer_id => p_customer_id,
        p_alert_id => p_alert_id,
        p_kind => 'resolved',
        p_actor_id => p_actor_id,
        p_note => p_note,
        p_new_normal => p_new_normal
    );
END;
$function$;

COMMENT ON FUNCTION alerts.resolve(bigint, bigint, bigint, text, boolean) IS
'Resolves an open or acknowledged alert on behalf of a user (NULL: nobody known) and returns its new version. It stays resolved until the group was measured not drifted once, or its band rises. With p_new_normal the alerted level is the group''s new baseline, from the alert''s opening on. Raises PD001 to PD004, PD006 (no such alert), PD007 (it is resolved).';

REVOKE ALL ON FUNCTION alerts.resolve(bigint, bigint, bigint, text, boolean) FROM public;
GRANT EXECUTE ON FUNCTION alerts.resolve(bigint, bigint, bigint, text, boolean)
TO claimdrift_tenant, claimdrift_platform;
