CREATE OR REPLACE FUNCTION drift.silences(
    p_customer_id bigint,
    p_payer_ids bigint[],
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date
)
RETURNS TABLE (
    payer_id bigint,
    longest int,
    present int
)
LANGUAGE sql
STABLE
ROWS 5
AS $function$
    WITH
    decided AS (
        SELECT DISTINCT
            c.payer_id,
            c.first_decided_date AS day
        FROM public.claim AS c
        WHERE
            c.customer_id = p_customer_id
            -- Without payers nothing is read.
            AND cardinality(p_payer_ids) > 0
            AND c.payer_id = ANY(p_payer_ids)
            AND c.first_decided_date >= p_baseline_start
            AND c.first_decided_date < p_as_of
    ),

    gap AS (
        SELECT
            d.payer_id,
            d.day,
            d.day - lag(d.day, 1, p_baseline_start - 1)
                OVER (PARTITION BY d.payer_id ORDER BY d.day) - 1 AS days
        FROM decided AS d
    )

    SELECT
        g.payer_id,
        greatest(
            -- Up to a decision in the baseline, and from its last one to its end.
            max(g.days) FILTER (WHERE g.day <= p_baseline_end),
            p_baseline_end - max(g.day) FILTER (WHERE g.day <= p_baseline_end)
        ),
        p_as_of - max(g.day) - 1
    FROM gap AS g
    GROUP BY g.payer_id;
$function$;

COMMENT ON FUNCTION drift.silences(bigint, bigint[], date, date, date) IS
'For payers that decided anything since the baseline began: the longest run of days within the baseline on which they decided nothing, and how many such days there have been up to p_as_of.';

REVOKE ALL ON FUNCTION drift.silences(bigint, bigint[], date, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.silences(bigint, bigint[], date, date, date)
TO claimdrift_tenant, claimdrift_platform;
