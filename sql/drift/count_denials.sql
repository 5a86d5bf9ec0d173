CREATE OR REPLACE FUNCTION drift.count_denials(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date,
    p_current_days int
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    is_current boolean,
    cell int,
    lines int,
    denied int
)
LANGUAGE plpgsql
STABLE
ROWS 30000
-- A generic plan is never parallel.
SET plan_cache_mode = force_custom_plan
AS $function$
BEGIN
    -- Two ranges of the index rather than one with a hole: the planner knows, from
    -- claim_group_statistics, how few groups each of them has, and counts in parallel.
    RETURN QUERY
    SELECT
        c.payer_id,
        c.cpt_group_id,
        false,
        (p_baseline_end - c.first_decided_date) / 14 AS cell,
        count(*)::int,
        count(*) FILTER (WHERE c.first_outcome = 'DENIED')::int
    FROM public.claim AS c
    WHERE
        c.customer_id = p_customer_id
        AND c.first_decided_date >= p_baseline_start
        AND c.first_decided_date <= p_baseline_end
    GROUP BY c.payer_id, c.cpt_group_id, cell
    UNION ALL
    SELECT
        c.payer_id,
        c.cpt_group_id,
        true,
        (p_as_of - 1 - c.first_decided_date) / 14 AS cell,
        count(*)::int,
        count(*) FILTER (WHERE c.first_outcome = 'DENIED')::int
    FROM public.claim AS c
    WHERE
        c.customer_id = p_customer_id
        AND c.first_decided_date >= p_as_of - p_current_days
        AND c.first_decided_date < p_as_of
    GROUP BY c.payer_id, c.cpt_group_id, cell;
END;
$function$;

COMMENT ON FUNCTION drift.count_denials(bigint, date, date, date, int) IS
'Lines first decided in the baseline (inclusive dates; NULL: none) or in the p_current_days before p_as_of, and how many of them were denied, by payer, CPT group and cell of 14 days, counted backwards from the end of either (0 = newest). One pass over claim_detection_idx.';

REVOKE ALL ON FUNCTION drift.count_denials(bigint, date, date, date, int) FROM public;
GRANT EXECUTE ON FUNCTION drift.count_denials(bigint, date, date, date, int)
TO claimdrift_tenant, claimdrift_platform;
