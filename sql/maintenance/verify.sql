CREATE OR REPLACE FUNCTION maintenance.verify()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE sql
STABLE
AS $function$
    -- STABLE: all checks look at one moment, so that writers at work break none.
    SELECT v.*
    FROM (
        SELECT * FROM maintenance.check_claims()
        UNION ALL
        SELECT * FROM maintenance.check_runs()
        UNION ALL
        SELECT * FROM maintenance.check_alerts()
        UNION ALL
        SELECT * FROM maintenance.check_transitions()
        UNION ALL
        SELECT * FROM maintenance.check_waiting()
        UNION ALL
        SELECT * FROM maintenance.check_deliveries()
        UNION ALL
        SELECT * FROM maintenance.check_references()
        UNION ALL
        SELECT * FROM maintenance.check_tenancy()
    ) AS v (check_name, customer_id, object_id, detail)
    -- One that is being erased is in pieces.
    WHERE NOT EXISTS (
        SELECT FROM public.erasure_receipt AS r
        WHERE r.erased_customer_id = v.customer_id AND r.finished_at IS NULL
    )
    ORDER BY v.check_name, v.customer_id, v.object_id;
$function$;

COMMENT ON FUNCTION maintenance.verify() IS
'Checks what must always hold: one row for each thing that is wrong (which check, whose, which row), none when all is well. The functions maintenance.check_... describe the checks. Sees one moment and locks nothing, so it can run beside anything; it reads every claim, so not every minute. Customers that are being erased are left out.';

REVOKE ALL ON FUNCTION maintenance.verify() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.verify() TO claimdrift_platform;
