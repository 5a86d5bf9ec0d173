CREATE OR REPLACE FUNCTION drift.payer_summary(
    p_customer_id bigint,
    p_start date,
    p_end date
)
RETURNS TABLE (
    payer_id bigint,
    claims bigint,
    denied bigint,
    denial_rate double precision,
    median_days double precision,
    previous_claims bigint,
    previous_denial_rate double precision,
    previous_median_days double precision,
    open_alerts int
)
LANGUAGE plpgsql
STABLE
ROWS 100
-- A generic plan is never parallel.
SET plan_cache_mode = force_custom_plan
AS $function$
DECLARE
    v_before CONSTANT date := p_start - (p_end - p_start) - 1;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    IF (p_start <= p_end) IS NOT TRUE THEN
        RAISE EXCEPTION 'no period'
            USING ERRCODE = 'PD008', HINT = 'Pass a first and a last day, in this order.';
    END IF;

    RETURN QUERY
    WITH
    -- Two ranges of claim_detection_idx, read at the same time; each lists how many lines took how
    -- many days, which is little, and all that medians need.
    histogram AS MATERIALIZED (
        SELECT
            c.payer_id,
            true AS is_current,
            c.first_decided_date - c.submitted_date AS days,
            -- Not bigint, whose sums are numeric and slow.
            count(*)::int AS lines,
            count(*) FILTER (WHERE c.first_outcome = 'DENIED')::int AS denied
        FROM public.claim AS c
        WHERE
            c.customer_id = p_customer_id
            AND c.first_decided_date >= p_start
            AND c.first_decided_date <= p_end
        GROUP BY c.payer_id, days
        UNION ALL
        SELECT
            c.payer_id,
            false,
            c.first_decided_date - c.submitted_date AS days,
            count(*)::int,
            count(*) FILTER (WHERE c.first_outcome = 'DENIED')::int
        FROM public.claim AS c
        WHERE
            c.customer_id = p_customer_id
            AND c.first_decided_date >= v_before
            AND c.first_decided_date < p_start
        GROUP BY c.payer_id, days
    ),

    ranked AS (
        SELECT
            h.*,
            sum(h.lines) OVER (PARTITION BY h.payer_id, h.is_current ORDER BY h.days) AS upto,
            sum(h.lines) OVER (PARTITION BY h.payer_id, h.is_current) AS n
        FROM histogram AS h
    ),

    period AS (
        SELECT
            r.payer_id,
            r.is_current,
            sum(r.lines) AS claims,
            sum(r.denied) AS denied,
            -- The mean of the two in the middle, which are one where n is odd.
            (
                min(r.days) FILTER (WHERE r.upto * 2 >= r.n)
                + min(r.days) FILTER (WHERE r.upto * 2 > r.n)
            ) / 2.0::double precision AS median_days
        FROM ranked AS r
        GROUP BY r.payer_id, r.is_current
    ),

    live AS (
        SELECT
            a.payer_id,
            count(*)::int AS alerts
        FROM public.alert AS a
        WHERE a.customer_id = p_customer_id AND a.status IN ('open', 'acknowledged')
        GROUP BY a.payer_id
    )

    SELECT
        s.payer_id,
        coalesce(s.claims, 0),
        coalesce(s.denied, 0),
        s.denied / s.claims::double precision,
        s.median_days,
        coalesce(s.previous_claims, 0),
        s.previous_denied / s.previous_claims::double precision,
        s.previous_median_days,
        coalesce(s.alerts, 0)
    FROM (
        SELECT
            coalesce(p.payer_id, l.payer_id) AS payer_id,
            max(p.claims) FILTER (WHERE p.is_current) AS claims,
            max(p.denied) FILTER (WHERE p.is_current) AS denied,
            max(p.median_days) FILTER (WHERE p.is_current) AS median_days,
            max(p.claims) FILTER (WHERE NOT p.is_current) AS previous_claims,
            max(p.denied) FILTER (WHERE NOT p.is_current) AS previous_denied,
            max(p.median_days) FILTER (WHERE NOT p.is_current) AS previous_median_days,
            max(l.alerts) AS alerts
        FROM period AS p
        -- A payer that has fallen silent is one to be seen.
        FULL JOIN live AS l ON l.payer_id = p.payer_id
        GROUP BY coalesce(p.payer_id, l.payer_id)
    ) AS s;
END;
$function$;

COMMENT ON FUNCTION drift.payer_summary(bigint, date, date) IS
'What each payer decided from a day to another (inclusive), by first determinations: lines, denied ones, their share of 1 and the median of the days from submission to that decision; the same for as many days before; and its live alerts now (open or acknowledged). One row for each payer with lines in either period or with a live alert; shares and medians of no lines are NULL. Raises PD002 to PD004 like tenancy.authorize, PD008 (no period).';

REVOKE ALL ON FUNCTION drift.payer_summary(bigint, date, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.payer_summary(bigint, date, date)
TO claimdrift_tenant, claimdrift_platform;
