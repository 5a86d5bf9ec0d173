CREATE OR REPLACE FUNCTION alerts.rule_reaches(
    p_rule public.alert_rule,
    p_severity double precision,
    p_delta double precision,
    p_relative_delta double precision
)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT
        coalesce(
            CASE p_rule.comparison
                WHEN 'gte' THEN m.size >= p_rule.threshold
                WHEN 'gt' THEN m.size > p_rule.threshold
                WHEN 'lte' THEN m.size <= p_rule.threshold
                WHEN 'lt' THEN m.size < p_rule.threshold
            END,
            false
        )
    FROM (
        VALUES (
            CASE p_rule.measure
                WHEN 'severity' THEN p_severity
                WHEN 'delta' THEN abs(p_delta)
                WHEN 'relative_delta' THEN abs(p_relative_delta)
            END
        )
    ) AS m (size);
$function$;

COMMENT ON FUNCTION alerts.rule_reaches(public.alert_rule, double precision, double precision, double precision) IS
'Whether a change is of the size that a rule asks for. Sizes are unsigned, since the rule''s direction says which way; a relative delta that is NULL (baseline 0) reaches nothing.';

REVOKE ALL ON FUNCTION alerts.rule_reaches(
    public.alert_rule, double precision, double precision, double precision
) FROM public;
GRANT EXECUTE ON FUNCTION alerts.rule_reaches(
    public.alert_rule, double precision, double precision, double precision
)
TO claimdrift_tenant, claimdrift_platform;
