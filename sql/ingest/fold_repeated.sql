CREATE OR REPLACE FUNCTION ingest.fold_repeated(
    p_customer_id bigint,
    p_correct boolean
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    WITH keyed AS (
        SELECT
            t.*,
            -- The first row that decides the claim line holds the first determination.
            min(t.line) FILTER (WHERE t.decided_date IS NOT NULL) OVER claim_line AS deciding_line,
            max(t.decided_date) OVER (
                PARTITION BY t.source, t.claim_number, t.line_number ORDER BY t.line
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS decided_before
        FROM pg_temp.typed AS t
        WHERE t.state IS NULL AND (t.source, t.claim_number, t.line_number) IN (
            SELECT
                r.source,
                r.claim_number,
                r.line_number
            FROM pg_temp.typed AS r
            WHERE r.state IS NULL
            GROUP BY r.source, r.claim_number, r.line_number
            HAVING count(*) > 1
        )
        WINDOW claim_line AS (PARTITION BY t.source, t.claim_number, t.line_number)
    ),

    placed AS (
        SELECT
            k.*,
            c.id AS claim_id,
            NOT p_correct
            -- greatest ignores NULL.
            AND greatest(k.decided_before, c.decided_date) IS NOT NULL
            AND coalesce(k.decided_date < greatest(k.decided_before, c.decided_date), TRUE)
                AS is_stale,
            CASE
                WHEN origin.is_stored THEN c.submitted_date
                WHEN origin.is_earlier_row THEN deciding.submitted_date
                ELSE k.submitted_date
            END AS fixed_submitted_date,
            CASE
                WHEN origin.is_stored THEN c.first_decided_date
                WHEN origin.is_earlier_row THEN deciding.decided_date
                ELSE k.decided_date
            END AS fixed_decided_date,
            CASE
                WHEN origin.is_stored THEN c.first_outcome
                WHEN origin.is_earlier_row THEN deciding.outcome
                ELSE k.first_outcome
            END AS fixed_outcome,
            (
                c.payer_id, c.payer_name::text, c.cpt::text, c.cpt_group_id, c.submitted_date,
                c.decided_date, c.outcome::text, c.first_decided_date, c.first_outcome::text,
                c.billed_amount, c.allowed_amount, c.paid_amount, c.denial_code::text
            ) AS stored
        FROM keyed AS k
        LEFT JOIN public.claim AS c
            ON
                c.customer_id = p_customer_id
                AND c.source = k.source
                AND c.claim_number = k.claim_number
                AND c.line_number = k.line_number
        LEFT JOIN keyed AS deciding ON deciding.line = k.deciding_line
        -- Where the first determination comes from, if not from the row itself.
        CROSS JOIN LATERAL (
            SELECT
                NOT p_correct AND c.first_outcome IS NOT NULL AS is_stored,
                NOT p_correct AND k.deciding_line < k.line AS is_earlier_row
        ) AS origin
    ),

    applied AS (
        SELECT
            p.*,
            (
                p.payer_id, p.payer_name, p.cpt, p.cpt_group_id, p.fixed_submitted_date,
                p.decided_date, p.outcome, p.fixed_decided_date, p.fixed_outcome,
                p.billed_amount, p.allowed_amount, p.paid_amount, p.denial_code
            ) AS result
        FROM placed AS p
        WHERE NOT p.is_stale
    ),

    judged AS (
        SELECT
            a.line,
            lead(a.line) OVER claim_line IS NULL
            AND (a.claim_id IS NULL OR a.result IS DISTINCT FROM a.stored) AS is_last,
            a.fixed_submitted_date,
            a.fixed_decided_date,
            a.fixed_outcome,
            CASE
                WHEN lag(a.line) OVER claim_line IS NOT NULL
                    THEN CASE
                        WHEN a.result IS NOT DISTINCT FROM lag(a.result) OVER claim_line
                            THEN 'unchanged'
                        ELSE 'updated'
                    END
                WHEN a.claim_id IS NULL THEN 'inserted'
                WHEN a.result IS NOT DISTINCT FROM a.stored THEN 'unchanged'
                ELSE 'updated'
            END AS state
        FROM applied AS a
        WINDOW claim_line AS (PARTITION BY a.source, a.claim_number, a.line_number ORDER BY a.line)
        UNION ALL
        SELECT
            p.line,
            FALSE,
            NULL,
            NULL,
            NULL,
            'stale'
        FROM placed AS p
        WHERE p.is_stale
    )

    UPDATE pg_temp.staging AS s
    SET
        state = j.state,
        is_last = j.is_last,
        first_submitted_date = j.fixed_submitted_date,
        first_decided_date = j.fixed_decided_date,
        first_outcome = j.fixed_outcome
    FROM judged AS j
    WHERE s.line = j.line;
END;
$function$;

COMMENT ON FUNCTION ingest.fold_repeated(bigint, boolean) IS
'Where several staged rows are for one claim line: works out, as if they were applied one by one in the order of the file, what becomes of each (staging.state), which one has to be written, if any (is_last), and the first determination.';

REVOKE ALL ON FUNCTION ingest.fold_repeated(bigint, boolean) FROM public;
