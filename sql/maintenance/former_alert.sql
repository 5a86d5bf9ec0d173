CREATE OR REPLACE FUNCTION maintenance.former_alert(
    p_alert public.alert
)
RETURNS SETOF public.alert
LANGUAGE sql
STABLE
ROWS 1
AS $function$
    SELECT a.*
    FROM public.alert AS a
    WHERE
        a.customer_id = p_alert.customer_id
        AND a.payer_id = p_alert.payer_id
        AND a.cpt_group_id IS NOT DISTINCT FROM p_alert.cpt_group_id
        AND a.metric = p_alert.metric
        AND a.direction = p_alert.direction
        AND a.id < p_alert.id
    ORDER BY a.id DESC
    LIMIT 1;
$function$;

COMMENT ON FUNCTION maintenance.former_alert(public.alert) IS
'The alert of the same payer, group, metric and direction that came before this one; no row for the first.';

REVOKE ALL ON FUNCTION maintenance.former_alert(public.alert) FROM public;
GRANT EXECUTE ON FUNCTION maintenance.former_alert(public.alert) TO claimdrift_platform;
