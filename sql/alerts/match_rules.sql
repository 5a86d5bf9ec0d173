CREATE OR REPLACE FUNCTION alerts.match_rules(
    p_customer_id bigint,
    p_payer_id bigint,
    p_cpt_group_id bigint,
    p_metric text,
    p_direction text,
    p_severity double precision,
    p_delta double precision,
    p_relative_delta double precision
)
RETURNS TABLE (
    rule_id bigint,
    level text,
    definition jsonb
)
LANGUAGE sql
STABLE
ROWS 1
AS $function$
    WITH
    matching AS (
        SELECT
            r.id,
            alerts.rule_definition(r) AS definition,
            -- A payer says more than a group, and both more than a metric.
            CASE WHEN r.payer_id IS NULL THEN 0 ELSE 4 END
            + CASE WHEN r.cpt_group_id IS NULL THEN 0 ELSE 2 END
            + CASE WHEN r.metric IS NULL THEN 0 ELSE 1 END AS specificity,
            coalesce(r.level, alerts.band(p_severity)) AS level
        FROM public.alert_rule AS r
        WHERE
            r.customer_id = p_customer_id
            AND r.enabled
            AND alerts.rule_covers(r, p_payer_id, p_cpt_group_id, p_metric, p_direction)
            AND (
                p_severity IS NULL
                OR alerts.rule_reaches(r, p_severity, p_delta, p_relative_delta)
            )
    )

    SELECT
        m.id,
        (SELECT l.level FROM matching AS l ORDER BY alerts.rank(l.level) DESC NULLS LAST LIMIT 1),
        m.definition
    FROM matching AS m
    ORDER BY m.specificity DESC, alerts.rank(m.level) DESC NULLS LAST, m.id
    LIMIT 1;
$function$;

COMMENT ON FUNCTION alerts.match_rules(bigint, bigint, bigint, text, text, double precision, double precision, double precision) IS
'The enabled rule that owns a change: the most specific (payer before group before metric; ties: highest level, lowest id), with the highest level that any matching rule gives it. No row when none matches. With a NULL severity only the rules'' scope counts, and level may be NULL.';

REVOKE ALL ON FUNCTION alerts.match_rules(
    bigint, bigint, bigint, text, text, double precision, double precision, double precision
) FROM public;
GRANT EXECUTE ON FUNCTION alerts.match_rules(
    bigint, bigint, bigint, text, text, double precision, double precision, double precision
)
TO claimdrift_tenant, claimdrift_platform;
