CREATE OR REPLACE FUNCTION ingest.insert_claims(
    p_customer_id bigint,
    p_upload_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_rows bigint;
BEGIN
    -- Nobody else inserts: all who do hold ingest.lock_customer. ON CONFLICT would log each row
    -- twice, for a conflict that can't be.
    INSERT INTO public.claim (
        customer_id, upload_id, source, claim_number, line_number, payer_id, payer_name, cpt,
        cpt_group_id, submitted_date, decided_date, outcome, first_decided_date, first_outcome,
        billed_amount, allowed_amount, paid_amount, denial_code
    )
    SELECT
        p_customer_id,
        p_upload_id,
        t.source,
        t.claim_number,
        t.line_number,
        t.payer_id,
        t.payer_name,
        t.cpt,
        t.cpt_group_id,
        t.submitted_date,
        t.decided_date,
        t.outcome,
        t.first_decided_date,
        t.first_outcome,
        t.billed_amount,
        t.allowed_amount,
        t.paid_amount,
        t.denial_code
    -- OFFSET 0: after a big load nothing is known of the customer's claims yet. Joined to "one"
    -- claim first, the maps would be searched row by row.
    FROM (
        SELECT * FROM pg_temp.typed AS v
        WHERE v.state IS NULL OR v.is_last
        OFFSET 0
    ) AS t
    WHERE NOT EXISTS (
        SELECT
        FROM public.claim AS c
        WHERE
            c.customer_id = p_customer_id
            AND c.source = t.source
            AND c.claim_number = t.claim_number
            AND c.line_number = t.line_number
    );
    GET DIAGNOSTICS v_rows = ROW_COUNT;

    RETURN v_rows;
END;
$function$;

COMMENT ON FUNCTION ingest.insert_claims(bigint, bigint) IS
'Inserts the valid staged rows whose claim lines don''t exist yet; of a claim line that occurs several times, the row that ingest.fold_repeated left standing. Returns their number.';

REVOKE ALL ON FUNCTION ingest.insert_claims(bigint, bigint) FROM public;
