CREATE OR REPLACE FUNCTION ingest.merge_payers(
    p_customer_id bigint,
    p_payer_id bigint,
    p_into_payer_id bigint,
    p_actor_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runtime roles may not write alerts, nor say that a payer is merged.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_payer public.payer;
    v_into public.payer;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM ingest.lock_customer(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);

    -- Whoever edits an alias or a rule locks that row, then the payer it names: in this order here
    -- as well. Who is about to add one that names either payer is waited for.
    PERFORM FROM public.payer_alias AS a
    WHERE a.customer_id = p_customer_id AND a.payer_id = p_payer_id
    ORDER BY a.id
    FOR UPDATE;
    PERFORM FROM public.alert_rule AS r
    WHERE r.customer_id = p_customer_id AND r.payer_id = p_payer_id
    ORDER BY r.id
    FOR UPDATE;
    PERFORM FROM public.payer AS p
    WHERE p.customer_id = p_customer_id AND p.id IN (p_payer_id, p_into_payer_id)
    ORDER BY p.id
    FOR UPDATE;

    v_payer := ingest.find_payer(p_customer_id => p_customer_id, p_payer_id => p_payer_id);
    v_into := ingest.find_payer(p_customer_id => p_customer_id, p_payer_id => p_into_payer_id);
    PERFORM ingest.check_merge(p_payer => v_payer, p_into => v_into);

    -- From the groups to the payer as a whole, whose alert would let theirs speak when it ends.
    PERFORM alerts.resolve(
        p_customer_id => p_customer_id,
        p_alert_id => a.id,
        p_actor_id => p_actor_id,
        p_note => format('its payer was merged into %s', v_into.name)
    )
    FROM (
        SELECT l.id
        FROM public.alert AS l
        WHERE
            l.customer_id = p_customer_id
            AND l.payer_id = p_payer_id
            AND l.status IN ('open', 'acknowledged')
        ORDER BY l.cpt_group_id IS NULL, l.id
    ) AS a;

    -- Merged payers lead to one that isn't, in one step.
    UPDATE public.payer AS p
    SET merged_into_id = p_into_payer_id
    WHERE p.customer_id = p_customer_id AND p_payer_id IN (p.id, p.merged_into_id);

    UPDATE public.payer_alias AS a
    SET payer_id = p_into_payer_id
    WHERE a.customer_id = p_customer_id AND a.payer_id = p_payer_id;
    -- The name may have led to a third payer until now. What counts is the later word.
    INSERT INTO public.payer_alias (customer_id, alias, payer_id)
    VALUES (p_customer_id, v_payer.name, p_into_payer_id)
    ON CONFLICT (customer_id, lower(alias)) DO UPDATE SET payer_id = excluded.payer_id;

    PERFORM ingest.move_rules(
        p_customer_id => p_customer_id,
        p_payer_id => p_payer_id,
        p_into_payer_id => p_into_payer_id
    );
END;
$function$;

COMMENT ON FUNCTION ingest.merge_payers(bigint, bigint, bigint, bigint) IS
'Makes a payer a part of another for good, on behalf of a user (NULL: nobody known). Its name and aliases become the other''s aliases, rules on it move (ingest.move_rules), its live alerts are resolved, and the worker moves its claims; its row stays for its history. Raises PD001 to PD004 like drift.lock_customer, PD005 (suspended customer), PD014 (ingest.check_merge), PD016 (no such payer).';

REVOKE ALL ON FUNCTION ingest.merge_payers(bigint, bigint, bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.merge_payers(bigint, bigint, bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
