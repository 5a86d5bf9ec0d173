CREATE OR REPLACE FUNCTION drift.count_days(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    is_current boolean,
    days int,
    lines int
)
LANGUAGE plpgsql
STABLE
ROWS 100000
-- A generic plan is never parallel.
SET plan_cache_mode = force_custom_plan
-- A large customer has a hundred thousand of these counts; at the default they would go to disk.
SET work_mem = '64MB'
AS $function$
BEGIN
    RETURN QUERY
    SELECT
        c.payer_id,
        c.cpt_group_id,
        false,
        c.first_decided_date - c.submitted_date AS days,
        count(*)::int
    FROM public.claim AS c
    WHERE
        c.customer_id = p_customer_id
        AND c.first_decided_date >= p_baseline_start
        AND c.first_decided_date <= p_baseline_end
    GROUP BY c.payer_id, c.cpt_group_id, days
    UNION ALL
    SELECT
        c.payer_id,
        c.cpt_group_id,
        true,
        c.first_decided_date - c.submitted_date AS days,
        count(*)::int
    FROM public.claim AS c
    WHERE
        c.customer_id = p_customer_id
        AND c.first_decided_date >= p_as_of - 14
        AND c.first_decided_date < p_as_of
    GROUP BY c.payer_id, c.cpt_group_id, days;
END;
$function$;

COMMENT ON FUNCTION drift.count_days(bigint, date, date, date) IS
'Lines first decided in the baseline (inclusive dates; NULL: none) or in the 14 days before p_as_of, by payer, CPT group and days from submission to that decision. One pass over claim_detection_idx.';

REVOKE ALL ON FUNCTION drift.count_days(bigint, date, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.count_days(bigint, date, date, date)
TO claimdrift_tenant, claimdrift_platform;
