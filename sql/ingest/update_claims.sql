CREATE OR REPLACE FUNCTION ingest.update_claims(
    p_customer_id bigint,
    p_upload_id bigint,
    p_correct boolean
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_rows bigint;
BEGIN
    UPDATE public.claim AS c
    SET
        upload_id = p_upload_id,
        payer_id = t.payer_id,
        payer_name = t.payer_name,
        cpt = t.cpt,
        cpt_group_id = t.cpt_group_id,
        decided_date = t.decided_date,
        outcome = t.outcome,
        billed_amount = t.billed_amount,
        allowed_amount = t.allowed_amount,
        paid_amount = t.paid_amount,
        denial_code = t.denial_code,
        -- The first determination stays, with the submission that it answered.
        submitted_date = CASE
            WHEN p_correct OR c.first_outcome IS NULL THEN t.submitted_date ELSE c.submitted_date
        END,
        first_decided_date = CASE
            WHEN p_correct OR c.first_outcome IS NULL THEN t.first_decided_date
            ELSE c.first_decided_date
        END,
        first_outcome = CASE
            WHEN p_correct OR c.first_outcome IS NULL THEN t.first_outcome ELSE c.first_outcome
        END
    -- OFFSET 0: see ingest.insert_claims.
    FROM (
        SELECT * FROM pg_temp.typed AS v
        WHERE v.state IS NULL OR v.is_last
        OFFSET 0
    ) AS t
    WHERE
        c.customer_id = p_customer_id
        AND c.source = t.source
        AND c.claim_number = t.claim_number
        AND c.line_number = t.line_number
        AND (p_correct OR c.decided_date IS NULL OR t.decided_date >= c.decided_date)
        AND (
            (
                c.payer_id, c.payer_name, c.cpt, c.cpt_group_id, c.decided_date, c.outcome,
                c.billed_amount, c.allowed_amount, c.paid_amount, c.denial_code
            ) IS DISTINCT FROM (
                t.payer_id, t.payer_name, t.cpt, t.cpt_group_id, t.decided_date, t.outcome,
                t.billed_amount, t.allowed_amount, t.paid_amount, t.denial_code
            )
            OR (
                (p_correct OR c.first_outcome IS NULL)
                AND (c.submitted_date, c.first_decided_date, c.first_outcome)
                IS DISTINCT FROM (t.submitted_date, t.first_decided_date, t.first_outcome)
            )
        );
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    RETURN v_rows;
END;
$function$;

COMMENT ON FUNCTION ingest.update_claims(bigint, bigint, boolean) IS
'Applies the valid staged rows to the claim lines that exist, where they aren''t older (p_correct: however old they are) and change anything; of a claim line that occurs several times, the row that ingest.fold_repeated left standing. Returns the number of claim lines that changed.';

REVOKE ALL ON FUNCTION ingest.update_claims(bigint, bigint, boolean) FROM public;
