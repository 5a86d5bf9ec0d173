CREATE OR REPLACE FUNCTION drift.left_out_lines(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date,
    p_metric text
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    is_current boolean,
    cell int,
    days int,
    lines int,
    denied int
)
LANGUAGE plpgsql
STABLE
ROWS 100
SET plan_cache_mode = force_custom_plan
AS $function$
BEGIN
    RETURN QUERY
    SELECT
        c.payer_id,
        c.cpt_group_id,
        o.is_current,
        (CASE WHEN o.is_current THEN p_as_of - 1 ELSE p_baseline_end END - o.day) / 14 AS cell,
        c.first_decided_date - c.submitted_date AS days,
        count(*)::int,
        count(*) FILTER (WHERE c.first_outcome = 'DENIED')::int
    FROM drift.left_out_days(
        p_customer_id => p_customer_id,
        p_as_of => p_as_of,
        p_baseline_start => p_baseline_start,
        p_baseline_end => p_baseline_end
    ) AS o
    JOIN public.claim AS c
        ON
            c.customer_id = p_customer_id
            AND c.first_decided_date = o.day
            AND c.payer_id = o.payer_id
            AND (o.cpt_group_id IS NULL OR c.cpt_group_id = o.cpt_group_id)
    WHERE o.metric = p_metric
    GROUP BY c.payer_id, c.cpt_group_id, o.is_current, cell, days;
END;
$function$;

COMMENT ON FUNCTION drift.left_out_lines(bigint, date, date, date, text) IS
'The lines of the days that a measurement of p_metric leaves out (drift.left_out_days), by payer, CPT group, cell of 14 days (as drift.count_denials) and days to the decision.';

REVOKE ALL ON FUNCTION drift.left_out_lines(bigint, date, date, date, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.left_out_lines(bigint, date, date, date, text)
TO claimdrift_tenant, claimdrift_platform;
