CREATE OR REPLACE FUNCTION drift.count_lines(
    p_customer_id bigint,
    p_baseline_start date,
    p_baseline_end date,
    p_current_start date,
    p_current_end date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    is_current boolean,
    days int,
    lines bigint,
    denied bigint
)
LANGUAGE plpgsql
STABLE
ROWS 100000
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
        c.first_decided_date - c.submitted_date,
        count(*),
        count(*) FILTER (WHERE c.first_outcome = 'DENIED')
    FROM public.claim AS c
    WHERE
        c.customer_id = p_customer_id
        AND c.first_decided_date >= p_baseline_start
        AND c.first_decided_date <= p_baseline_end
    GROUP BY c.payer_id, c.cpt_group_id, c.first_decided_date - c.submitted_date
    UNION ALL
    SELECT
        c.payer_id,
        c.cpt_group_id,
        true,
        c.first_decided_date - c.submitted_date,
        count(*),
        count(*) FILTER (WHERE c.first_outcome = 'DENIED')
    FROM public.claim AS c
    WHERE
        c.customer_id = p_customer_id
        AND c.first_decided_date >= p_current_start
        AND c.first_decided_date <= p_current_end
    GROUP BY c.payer_id, c.cpt_group_id, c.first_decided_date - c.submitted_date;
END;
$function$;

COMMENT ON FUNCTION drift.count_lines(bigint, date, date, date, date) IS
'Claim lines first decided in the baseline or the current window, and how many of them were denied, per payer, CPT group, window and days from submission to that decision: one pass over claim_detection_idx, all that detection reads of claims. Dates are inclusive; a NULL baseline counts the current window only.';

REVOKE ALL ON FUNCTION drift.count_lines(bigint, date, date, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.count_lines(bigint, date, date, date, date)
TO claimdrift_tenant, claimdrift_platform;
