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
DECLARE
    v_ids bigint[];
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);

    -- Payers as a whole first: an alert on one speaks for those of its groups.
    FOR v_ids IN
        SELECT array_agg(e.id ORDER BY e.id)
        FROM public.drift_event AS e
        WHERE e.customer_id = p_customer_id AND e.id = ANY(p_event_ids)
        GROUP BY e.cpt_group_id IS NULL
        ORDER BY e.cpt_group_id IS NULL DESC
    LOOP
        -- Each of them decides anew, in this order: an alert that was seen isn't reopened, one
        -- that was reopened keeps a second from opening.
        PERFORM alerts.see_again(p_customer_id => p_customer_id, p_event_ids => v_ids);
        PERFORM alerts.reopen_returned(p_customer_id => p_customer_id, p_event_ids => v_ids);
        PERFORM alerts.open_new(p_customer_id => p_customer_id, p_event_ids => v_ids);
        PERFORM alerts.mute_groups(p_customer_id => p_customer_id);
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION alerts.apply_events(bigint, bigint[]) IS
'Opens, reopens, escalates or counts the alerts that drift events of one day call for, as alerts.decide says; called by trigger when events are inserted or updated. Takes the customer''s lock.';

REVOKE ALL ON FUNCTION alerts.apply_events(bigint, bigint[]) FROM public;
