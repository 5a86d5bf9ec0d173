CREATE OR REPLACE FUNCTION ingest.move_rules(
    p_customer_id bigint,
    p_payer_id bigint,
    p_into_payer_id bigint
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    UPDATE public.alert_rule AS r
    SET
        payer_id = CASE WHEN d.is_double THEN r.payer_id ELSE p_into_payer_id END,
        enabled = r.enabled AND NOT d.is_double
    FROM (
        SELECT
            o.id,
            EXISTS (
                SELECT FROM public.alert_rule AS t
                WHERE
                    t.customer_id = p_customer_id
                    AND t.payer_id = p_into_payer_id
                    AND t.enabled
                    AND (t.cpt_group_id, t.metric, t.level)
                    IS NOT DISTINCT FROM (o.cpt_group_id, o.metric, o.level)
                    AND (t.direction, t.measure, t.comparison, t.threshold)
                    = (o.direction, o.measure, o.comparison, o.threshold)
            ) AS is_double
        FROM public.alert_rule AS o
        WHERE o.customer_id = p_customer_id AND o.payer_id = p_payer_id
    ) AS d
    WHERE r.customer_id = p_customer_id AND r.id = d.id;
$function$;

COMMENT ON FUNCTION ingest.move_rules(bigint, bigint, bigint) IS
'Makes the rules on a payer rules on another. One that says what an enabled rule on the other says already stays where it is, disabled. Part of ingest.merge_payers, which holds the locks.';

REVOKE ALL ON FUNCTION ingest.move_rules(bigint, bigint, bigint) FROM public;
