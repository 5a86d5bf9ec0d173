CREATE OR REPLACE FUNCTION alerts.speaking_alert(
    p_customer_id bigint,
    p_payer_id bigint,
    p_cpt_group_id bigint,
    p_metric text,
    p_direction text
)
RETURNS bigint
LANGUAGE sql
STABLE
AS $function$
    SELECT a.id
    FROM public.alert AS a
    WHERE
        a.customer_id = p_customer_id
        AND a.payer_id = p_payer_id
        AND a.cpt_group_id IS NULL
        AND a.metric = p_metric
        AND a.direction = p_direction
        AND a.status IN ('open', 'acknowledged')
        AND p_cpt_group_id IS NOT NULL;
$function$;

COMMENT ON FUNCTION alerts.speaking_alert(bigint, bigint, bigint, text, text) IS
'The live alert on a payer as a whole that speaks for those of its groups, which are muted meanwhile. NULL when there is none, or for the payer itself (p_cpt_group_id NULL).';

REVOKE ALL ON FUNCTION alerts.speaking_alert(bigint, bigint, bigint, text, text) FROM public;
