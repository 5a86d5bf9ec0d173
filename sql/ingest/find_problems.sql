CREATE OR REPLACE FUNCTION ingest.find_problems()
RETURNS TABLE (
    line bigint,
    column_number integer,
    column_name text,
    message text
)
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    RETURN QUERY
    SELECT
        s.line,
        problem.column_number,
        problem.column_name,
        problem.message
    FROM pg_temp.staging AS s
    LEFT JOIN pg_temp.payer_map AS p ON p.raw = s.payer
    LEFT JOIN pg_temp.cpt_map AS g ON g.raw = s.cpt
    LEFT JOIN pg_temp.date_map AS submitted ON submitted.raw = s.submitted_date
    LEFT JOIN pg_temp.date_map AS decided ON decided.raw = s.decided_date
    CROSS JOIN LATERAL (
        SELECT
            0 AS column_number,
            coalesce(s.fault_column, '') AS column_name,
            s.fault AS message
        WHERE s.fault IS NOT NULL
        UNION ALL
        SELECT
            checked.column_number,
            checked.column_name,
            checked.message
        FROM (
            VALUES
            (1, 'claim_number', CASE
                WHEN s.claim_number IS NULL THEN 'is missing'
                WHEN s.claim_number ~ '[[:cntrl:]]' THEN 'contains a control character'
                WHEN length(s.claim_number) > 64 THEN 'is longer than 64 characters'
            END),
            (2, 'line_number', CASE
                WHEN s.line_number !~ '^[1-9][0-9]{0,3}$'
                    THEN 'isn''t a whole number from 1 to 9999'
            END),
            (3, 'payer', CASE WHEN s.payer IS NULL THEN 'is missing' ELSE p.problem END),
            (4, 'cpt', CASE WHEN s.cpt IS NULL THEN 'is missing' ELSE g.problem END),
            (5, 'submitted_date', CASE
                WHEN s.submitted_date IS NULL THEN 'is missing' ELSE submitted.problem
            END),
            (6, 'decided_date', CASE
                WHEN decided.problem IS NOT NULL THEN decided.problem
                WHEN s.outcome IN ('PAID', 'DENIED') AND s.decided_date IS NULL
                    THEN 'is missing although the claim was decided'
                WHEN s.outcome = 'PENDING' AND s.decided_date IS NOT NULL
                    THEN 'is given although the claim is pending'
                WHEN decided.day < submitted.day THEN 'is before submitted_date'
            END),
            (7, 'outcome', CASE
                WHEN s.outcome IS NULL THEN 'is missing'
                WHEN s.outcome NOT IN ('PAID', 'DENIED', 'PENDING')
                    THEN 'isn''t PAID, DENIED or PENDING'
            END),
            (8, 'billed_amount', ingest.amount_problem(s.billed_amount)),
            (9, 'allowed_amount', ingest.amount_problem(s.allowed_amount)),
            (10, 'paid_amount', ingest.amount_problem(s.paid_amount)),
            (11, 'denial_code', CASE
                WHEN s.denial_code !~ '^[A-Z0-9-]{1,20}$'
                    THEN 'isn''t 1 to 20 letters, digits or hyphens'
            END),
            (12, 'source', ingest.source_problem(s.source))
        ) AS checked (column_number, column_name, message)
        WHERE s.fault IS NULL AND checked.message IS NOT NULL
    ) AS problem
    WHERE
        s.fault IS NOT NULL
        OR p.problem IS NOT NULL
        OR g.problem IS NOT NULL
        OR submitted.problem IS NOT NULL
        OR decided.problem IS NOT NULL
        OR ingest.source_problem(s.source) IS NOT NULL
        OR NOT ingest.is_well_formed(
            s.claim_number,
            s.line_number,
            s.payer,
            s.cpt,
            s.submitted_date,
            s.decided_date,
            s.outcome,
            s.billed_amount,
            s.allowed_amount,
            s.paid_amount,
            s.denial_code
        );
END;
$function$;

COMMENT ON FUNCTION ingest.find_problems() IS
'Everything that is wrong with the staged rows, after ingest.normalise_staging and ingest.create_maps. A message never holds the value: it may be a patient''s.';

REVOKE ALL ON FUNCTION ingest.find_problems() FROM public;
