CREATE OR REPLACE FUNCTION alerts.resolve_moved(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM alerts.resolve(
        p_customer_id => p_customer_id,
        p_alert_id => a.id,
        p_actor_id => NULL,
        p_note => 'its claims were moved to another payer or group'
    )
    FROM (
        SELECT l.id
        FROM public.alert AS l
        WHERE
            l.customer_id = p_customer_id
            AND l.status IN ('open', 'acknowledged')
            -- Two questions, each of which the index on payer and group answers at once.
            AND NOT CASE
                WHEN l.cpt_group_id IS NULL THEN EXISTS (
                    SELECT FROM public.claim AS c
                    WHERE c.customer_id = p_customer_id AND c.payer_id = l.payer_id
                )
                ELSE EXISTS (
                    SELECT FROM public.claim AS c
                    WHERE
                        c.customer_id = p_customer_id
                        AND c.payer_id = l.payer_id
                        AND c.cpt_group_id = l.cpt_group_id
                )
            END
        -- See ingest.merge_payers.
        ORDER BY l.cpt_group_id IS NULL, l.id
    ) AS a;
END;
$function$;

COMMENT ON FUNCTION alerts.resolve_moved(bigint) IS
'Resolves live alerts on payers and groups that have no claims any more: nothing would ever be measured again that could clear them. Part of ingest.remap_claims, which holds the locks.';

REVOKE ALL ON FUNCTION alerts.resolve_moved(bigint) FROM public;
