CREATE OR REPLACE FUNCTION ingest.upsert_claims(
    p_customer_id bigint,
    p_upload_id bigint,
    p_correct boolean,
    p_repeated boolean,
    OUT inserted bigint,
    OUT updated bigint
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    WITH written AS (
        INSERT INTO public.claim AS c (
            customer_id, upload_id, claim_number, line_number, payer_id, payer_name, cpt,
            cpt_group_id, submitted_date, decided_date, outcome, first_decided_date, first_outcome,
            billed_amount, allowed_amount, paid_amount, denial_code
        )
        SELECT
            p_customer_id,
            p_upload_id,
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
        FROM pg_temp.typed AS t
        LEFT JOIN public.claim AS stored
            ON
                stored.customer_id = p_customer_id
                AND stored.claim_number = t.claim_number
                AND stored.line_number = t.line_number
        WHERE
            CASE WHEN p_repeated THEN t.is_last ELSE t.state IS NULL END
            -- Most rows of a file that is exported every week were loaded before. The condition of
            -- the update below would find that as well, but lock and log each of their claims.
            AND (
                stored.id IS NULL
                OR stored.decided_date IS DISTINCT FROM t.decided_date
                OR stored.outcome <> t.outcome
                OR p_correct
                OR stored.first_outcome IS NULL
                OR (
                    stored.payer_id, stored.payer_name, stored.cpt, stored.cpt_group_id,
                    stored.billed_amount, stored.allowed_amount, stored.paid_amount,
                    stored.denial_code
                ) IS DISTINCT FROM (
                    t.payer_id, t.payer_name, t.cpt, t.cpt_group_id, t.billed_amount,
                    t.allowed_amount, t.paid_amount, t.denial_code
                )
            )
        ON CONFLICT (customer_id, claim_number, line_number) DO UPDATE
            SET
                upload_id = excluded.upload_id,
                payer_id = excluded.payer_id,
                payer_name = excluded.payer_name,
                cpt = excluded.cpt,
                cpt_group_id = excluded.cpt_group_id,
                decided_date = excluded.decided_date,
                outcome = excluded.outcome,
                billed_amount = excluded.billed_amount,
                allowed_amount = excluded.allowed_amount,
                paid_amount = excluded.paid_amount,
                denial_code = excluded.denial_code,
                -- The first determination stays, with the submission that it answered.
                submitted_date = CASE
                    WHEN p_correct OR c.first_outcome IS NULL THEN excluded.submitted_date
                    ELSE c.submitted_date
                END,
                first_decided_date = CASE
                    WHEN p_correct OR c.first_outcome IS NULL THEN excluded.first_decided_date
                    ELSE c.first_decided_date
                END,
                first_outcome = CASE
                    WHEN p_correct OR c.first_outcome IS NULL THEN excluded.first_outcome
                    ELSE c.first_outcome
                END
            WHERE
                (p_correct OR c.decided_date IS NULL OR excluded.decided_date >= c.decided_date)
                AND (
                    (
                        c.payer_id, c.payer_name, c.cpt, c.cpt_group_id, c.decided_date, c.outcome,
                        c.billed_amount, c.allowed_amount, c.paid_amount, c.denial_code
                    ) IS DISTINCT FROM (
                        excluded.payer_id, excluded.payer_name, excluded.cpt, excluded.cpt_group_id,
                        excluded.decided_date, excluded.outcome, excluded.billed_amount,
                        excluded.allowed_amount, excluded.paid_amount, excluded.denial_code
                    )
                    OR (
                        (p_correct OR c.first_outcome IS NULL)
                        AND (c.submitted_date, c.first_decided_date, c.first_outcome)
                        IS DISTINCT FROM (
                            excluded.submitted_date,
                            excluded.first_decided_date,
                            excluded.first_outcome
                        )
                    )
                )
        RETURNING old.id IS NULL AS is_new
    )

    SELECT
        count(*) FILTER (WHERE w.is_new),
        count(*) FILTER (WHERE NOT w.is_new)
    INTO inserted, updated
    FROM written AS w;
END;
$function$;

COMMENT ON FUNCTION ingest.upsert_claims(bigint, bigint, boolean, boolean) IS
'Writes the valid staged rows into claim: those whose claim line occurs once in the file, or (p_repeated) the ones that ingest.fold_repeated left standing. Returns how many claim lines it inserted and updated; the others were stale or unchanged.';

REVOKE ALL ON FUNCTION ingest.upsert_claims(bigint, bigint, boolean, boolean) FROM public;
