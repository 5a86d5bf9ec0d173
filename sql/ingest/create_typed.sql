CREATE OR REPLACE FUNCTION ingest.create_typed(
    p_source text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    -- A view takes no parameters: the source becomes a constant in it.
    EXECUTE format($view$
        CREATE TEMPORARY VIEW typed AS
        SELECT
            s.line,
            s.state,
            s.is_last,
            coalesce(s.source, %L) AS source,
            s.claim_number,
            coalesce(s.line_number::integer, 1) AS line_number,
            p.payer_id,
            p.name AS payer_name,
            g.cpt,
            g.cpt_group_id,
            coalesce(s.first_submitted_date, submitted.day) AS submitted_date,
            decided.day AS decided_date,
            s.outcome,
            coalesce(s.first_decided_date, decided.day) AS first_decided_date,
            coalesce(s.first_outcome, nullif(s.outcome, 'PENDING')) AS first_outcome,
            s.billed_amount::numeric AS billed_amount,
            s.allowed_amount::numeric AS allowed_amount,
            s.paid_amount::numeric AS paid_amount,
            s.denial_code
        FROM pg_temp.staging AS s
        JOIN pg_temp.payer_map AS p ON p.raw = s.payer
        JOIN pg_temp.cpt_map AS g ON g.raw = s.cpt
        JOIN pg_temp.date_map AS submitted ON submitted.raw = s.submitted_date
        LEFT JOIN pg_temp.date_map AS decided ON decided.raw = s.decided_date
    $view$, p_source);
END;
$function$;

COMMENT ON FUNCTION ingest.create_typed(text) IS
'Creates the view pg_temp.typed over the tables of ingest.create_maps: the staged rows with their types, and p_source where a row names no billing system. Only for rows that were found valid: others fail there.';

REVOKE ALL ON FUNCTION ingest.create_typed(text) FROM public;
