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
        i.payer_id,
        g.longest,
        p_as_of - last.day - 1
    FROM unnest(p_payer_ids) AS i (payer_id)
    LEFT JOIN (
        SELECT
            h.payer_id,
            greatest(
                -- Up to a decision in the baseline, and from its last one to its end.
                max(h.days) FILTER (WHERE h.day <= p_baseline_end),
                p_baseline_end - max(h.day) FILTER (WHERE h.day <= p_baseline_end)
            ) AS longest
        FROM gap AS h
        GROUP BY h.payer_id
    ) AS g ON g.payer_id = i.payer_id
    -- The last decision may be older than any baseline.
    LEFT JOIN LATERAL (
        SELECT max(c.first_decided_date) AS day
        FROM public.claim AS c
        WHERE
            c.customer_id = p_customer_id
            AND c.payer_id = i.payer_id
            AND c.first_decided_date < p_as_of
    ) AS last ON true;
$function$;

COMMENT ON FUNCTION drift.silences(bigint, bigint[], date, date, date) IS
'For each payer the longest run of days within the baseline on which it decided nothing, and how many such days there have been since its last decision before p_as_of; NULL where there is no such decision.';

REVOKE ALL ON FUNCTION drift.silences(bigint, bigint[], date, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.silences(bigint, bigint[], date, date, date)
TO claimdrift_tenant, claimdrift_platform;
