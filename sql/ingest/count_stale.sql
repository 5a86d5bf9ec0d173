CREATE OR REPLACE FUNCTION ingest.count_stale(
    p_customer_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    RETURN (
        SELECT count(*)
        -- OFFSET 0: see ingest.insert_claims.
        FROM (SELECT * FROM pg_temp.typed AS v WHERE v.state IS NULL OFFSET 0) AS t
        JOIN public.claim AS c
            ON
                c.customer_id = p_customer_id
                AND c.source = t.source
                AND c.claim_number = t.claim_number
                AND c.line_number = t.line_number
        WHERE
            c.decided_date IS NOT NULL
            AND (t.decided_date >= c.decided_date) IS NOT TRUE
    );
END;
$function$;

COMMENT ON FUNCTION ingest.count_stale(bigint) IS
'How many of the staged rows whose claim line occurs once are older than what is stored. The same before and after the others were written: a row that was written is as old as what is stored.';

REVOKE ALL ON FUNCTION ingest.count_stale(bigint) FROM public;
