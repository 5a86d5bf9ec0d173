CREATE OR REPLACE FUNCTION drift.touched_cells(
    p_customer_id bigint,
    p_as_of date,
    p_baseline_start date,
    p_baseline_end date,
    p_metric text
)
RETURNS TABLE (
    payer_id bigint,
    cpt_group_id bigint,
    cell int
)
LANGUAGE sql
STABLE
ROWS 100
AS $function$
    SELECT DISTINCT
        o.payer_id,
        o.cpt_group_id,
        (p_baseline_end - o.day) / 14
    FROM drift.left_out_days(
        p_customer_id => p_customer_id,
        p_as_of => p_as_of,
        p_baseline_start => p_baseline_start,
        p_baseline_end => p_baseline_end
    ) AS o
    WHERE NOT o.is_current AND o.metric = p_metric;
$function$;

COMMENT ON FUNCTION drift.touched_cells(bigint, date, date, date, text) IS
'The cells of 14 days in the baseline (0 = newest) that left-out days fall into, per payer and group (NULL: all of the payer''s): they say nothing about a usual fortnight.';

REVOKE ALL ON FUNCTION drift.touched_cells(bigint, date, date, date, text) FROM public;
GRANT EXECUTE ON FUNCTION drift.touched_cells(bigint, date, date, date, text)
TO claimdrift_tenant, claimdrift_platform;
