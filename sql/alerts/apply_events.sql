CREATE OR REPLACE FUNCTION alerts.apply_events(
    p_customer_id bigint,
    p_event_ids bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: alerts and transitions are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);

    -- Each of them decides anew, in this order: an alert that was seen isn't reopened, one that
    -- was reopened keeps a second from opening.
    PERFORM alerts.see_again(p_customer_id => p_customer_id, p_event_ids => p_event_ids);
    PERFORM alerts.reopen_returned(p_customer_id => p_customer_id, p_event_ids => p_event_ids);
    PERFORM alerts.open_new(p_customer_id => p_customer_id, p_event_ids => p_event_ids);
END;
$function$;

COMMENT ON FUNCTION alerts.apply_events(bigint, bigint[]) IS
'Opens, reopens, escalates or counts the alerts that drift events of one day call for, as alerts.decide says; called by trigger when events are inserted or updated. Takes the customer''s lock.';

REVOKE ALL ON FUNCTION alerts.apply_events(bigint, bigint[]) FROM public;
