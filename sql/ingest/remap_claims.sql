CREATE OR REPLACE FUNCTION ingest.remap_claims(
    p_customer_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runtime roles may not write claims.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET work_mem = '128MB'
AS $function$
DECLARE
    v_moved bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM ingest.lock_customer(p_customer_id);
    -- A run that is under way must not see half of a group.
    PERFORM drift.lock_customer(p_customer_id);
    -- The job was queued when it was active.
    PERFORM tenancy.active_customer(p_customer_id => p_customer_id);

    WITH payer_of AS MATERIALIZED (
        SELECT
            r.wanted_name AS name,
            r.payer_id
        FROM ingest.resolve_payers(
            p_customer_id,
            (
                SELECT array_agg(DISTINCT c.payer_name)
                FROM public.claim AS c
                WHERE c.customer_id = p_customer_id
            )
        ) AS r
    ),

    group_of AS MATERIALIZED (
        SELECT
            r.wanted_cpt AS cpt,
            r.cpt_group_id
        FROM ingest.resolve_groups(
            p_customer_id,
            (
                SELECT array_agg(DISTINCT c.cpt)
                FROM public.claim AS c
                WHERE c.customer_id = p_customer_id
            )
        ) AS r
    )

    UPDATE public.claim AS c
    SET
        payer_id = p.payer_id,
        cpt_group_id = g.cpt_group_id
    FROM payer_of AS p, group_of AS g
    WHERE
        c.customer_id = p_customer_id
        AND p.name = c.payer_name
        AND g.cpt = c.cpt
        AND (c.payer_id, c.cpt_group_id) IS DISTINCT FROM (p.payer_id, g.cpt_group_id);
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    PERFORM alerts.resolve_moved(p_customer_id => p_customer_id);

    IF v_moved > 0 THEN
        PERFORM drift.queue_detection(p_customer_id => p_customer_id, p_trigger => 'manual');
    END IF;
    RETURN v_moved;
END;
$function$;

COMMENT ON FUNCTION ingest.remap_claims(bigint) IS
'Applies changed payer aliases and CPT mappings to all claims of a customer at once, resolves the alerts of payers and groups that have none left, and queues detection when any moved. Returns the number of claim lines that moved. Raises PD001 unless READ COMMITTED, PD002 to PD004 like tenancy.authorize, PD005 for a suspended customer.';

REVOKE ALL ON FUNCTION ingest.remap_claims(bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.remap_claims(bigint) TO claimdrift_tenant, claimdrift_platform;
