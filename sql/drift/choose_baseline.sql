CREATE OR REPLACE FUNCTION drift.choose_baseline(
    p_customer_id bigint,
    p_as_of date
)
RETURNS TABLE (
    history_days int,
    baseline_start date,
    baseline_end date
)
LANGUAGE sql
STABLE
ROWS 1
AS $function$
    WITH
    history AS (
        SELECT
            p_as_of - (
                SELECT min(c.first_decided_date)
                FROM public.claim AS c
                WHERE c.customer_id = p_customer_id
            ) AS days
    ),

    -- The customer's own windows while its history reaches that far, then ever shorter ones.
    rung AS (
        SELECT
            0 AS number,
            s.baseline_days,
            s.guard_days
        FROM public.drift_settings AS s
        WHERE s.customer_id = p_customer_id
        UNION ALL
        VALUES (1, 112, 28), (2, 84, 14), (3, 56, 14)
    )

    SELECT
        h.days,
        p_as_of - r.guard_days - r.baseline_days,
        p_as_of - r.guard_days - 1
    FROM history AS h
    LEFT JOIN rung AS r ON h.days >= r.baseline_days + r.guard_days
    ORDER BY r.number
    LIMIT 1;
$function$;

COMMENT ON FUNCTION drift.choose_baseline(bigint, date) IS
'One row: how many days of decisions lie before p_as_of, and the first and last day of the baseline that so much history allows: the customer''s own settings, else 112 days behind a guard band of 28, 84 + 14 or 56 + 14; dates NULL when the history is shorter than that (everything is insufficient), days NULL without decisions.';

REVOKE ALL ON FUNCTION drift.choose_baseline(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.choose_baseline(bigint, date)
TO claimdrift_tenant, claimdrift_platform;
