CREATE OR REPLACE FUNCTION ingest.normalise_staging()
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_rows bigint;
BEGIN
    UPDATE pg_temp.staging AS s
    SET
        source = ingest.trimmed(s.source),
        claim_number = ingest.trimmed(s.claim_number),
        line_number = regexp_replace(ingest.trimmed(s.line_number), '^0+(?=[0-9])', ''),
        payer = ingest.trimmed(s.payer),
        cpt = ingest.trimmed(s.cpt),
        submitted_date = ingest.trimmed(s.submitted_date),
        decided_date = ingest.trimmed(s.decided_date),
        outcome = upper(ingest.trimmed(s.outcome)),
        billed_amount = ingest.trimmed(s.billed_amount),
        allowed_amount = ingest.trimmed(s.allowed_amount),
        paid_amount = ingest.trimmed(s.paid_amount),
        denial_code = upper(ingest.trimmed(s.denial_code))
    WHERE
        s.fault IS NULL
        AND NOT (
            (s.source IS NULL OR s.source ~ '^[!-~]([ -~]{0,62}[!-~])?$')
            AND ingest.is_well_formed(
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
            )
        );
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    RETURN v_rows;
END;
$function$;

COMMENT ON FUNCTION ingest.normalise_staging() IS
'Trims, and puts into upper case where case means nothing, what isn''t well-formed as it stands. Returns the number of rows that it had to look at: 0 says that all rows are well-formed.';

REVOKE ALL ON FUNCTION ingest.normalise_staging() FROM public;
