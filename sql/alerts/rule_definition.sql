CREATE OR REPLACE FUNCTION alerts.rule_definition(
    p_rule public.alert_rule
)
RETURNS jsonb
LANGUAGE sql
STABLE
AS $function$
    SELECT to_jsonb(p_rule) - '{id,customer_id,name,level,enabled,created_at}'::text[];
$function$;

COMMENT ON FUNCTION alerts.rule_definition(public.alert_rule) IS
'What a rule matches by: its scope and threshold. An alert keeps the one it was last judged by, so that an edit shows at the next run.';

REVOKE ALL ON FUNCTION alerts.rule_definition(public.alert_rule) FROM public;
GRANT EXECUTE ON FUNCTION alerts.rule_definition(public.alert_rule)
TO claimdrift_tenant, claimdrift_platform;
