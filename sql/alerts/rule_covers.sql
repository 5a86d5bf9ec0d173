CREATE OR REPLACE FUNCTION alerts.rule_covers(
    p_rule public.alert_rule,
    p_payer_id bigint,
    p_cpt_group_id bigint,
    p_metric text,
    p_direction text
)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- Up is worse for each metric there is.
    SELECT
        coalesce(p_rule.payer_id IS NULL OR p_rule.payer_id = p_payer_id, false)
        AND coalesce(p_rule.cpt_group_id IS NULL OR p_rule.cpt_group_id = p_cpt_group_id, false)
        AND (p_rule.metric IS NULL OR p_rule.metric = p_metric)
        AND (
            p_rule.direction = 'any'
            OR p_rule.direction = CASE p_direction WHEN 'up' THEN 'worse' ELSE 'better' END
        );
$function$;

COMMENT ON FUNCTION alerts.rule_covers(public.alert_rule, bigint, bigint, text, text) IS
'Whether a rule is about this payer, CPT group (NULL: the payer as a whole), metric and direction, whatever the size of the change.';

REVOKE ALL ON FUNCTION alerts.rule_covers(
    public.alert_rule, bigint, bigint, text, text
) FROM public;
GRANT EXECUTE ON FUNCTION alerts.rule_covers(public.alert_rule, bigint, bigint, text, text)
TO claimdrift_tenant, claimdrift_platform;
