CREATE OR REPLACE FUNCTION alerts.reopen(
    p_customer_id bigint,
    p_alert_id bigint,
    p_actor_id bigint,
    p_note text DEFAULT NULL
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
        p_kind => 'reopened',
        p_actor_id => p_actor_id,
        p_note => p_note,
        p_new_normal => false
    );
END;
$function$;

COMMENT ON FUNCTION alerts.reopen(bigint, bigint, bigint, text) IS
'Reopens a resolved alert, the newest of its identity, on behalf of a user (NULL: nobody known) and returns its new version; its frozen baseline stays. Raises PD001 to PD004, PD006 (no such alert), PD007 (it isn''t resolved, or there is a newer one).';

REVOKE ALL ON FUNCTION alerts.reopen(bigint, bigint, bigint, text) FROM public;
GRANT EXECUTE ON FUNCTION alerts.reopen(bigint, bigint, bigint, text)
TO claimdrift_tenant, claimdrift_platform;
