CREATE OR REPLACE FUNCTION ingest.is_well_formed(
    p_claim_number text,
    p_line_number text,
    p_payer text,
    p_cpt text,
    p_submitted_date text,
    p_decided_date text,
    p_outcome text,
    p_billed_amount text,
    p_allowed_amount text,
    p_paid_amount text,
    p_denial_code text
)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT
        p_claim_number IS NOT NULL
        AND octet_length(p_claim_number) <= 64
        AND p_claim_number ~ '^[!-~]+$'
        AND p_payer IS NOT NULL
        AND p_cpt IS NOT NULL
        AND p_submitted_date IS NOT NULL
        AND octet_length(p_submitted_date) = 10
        AND p_outcome IS NOT NULL
        AND CASE
            WHEN p_outcome IN ('PAID', 'DENIED') THEN
                -- Dates in this form sort like text.
                p_decided_date IS NOT NULL
                AND octet_length(p_decided_date) = 10
                AND p_decided_date COLLATE "C" >= p_submitted_date COLLATE "C"
            ELSE p_outcome = 'PENDING' AND p_decided_date IS NULL
        END
        AND (
            p_line_number IS NULL
            OR p_line_number IN ('1', '2', '3', '4')
            OR p_line_number ~ '^[1-9][0-9]?[0-9]?[0-9]?$'
        )
        -- One match for all three; the reader lets no control character through.
        AND coalesce(E'\x01' || p_billed_amount, '')
        || coalesce(E'\x01' || p_allowed_amount, '')
        || coalesce(E'\x01' || p_paid_amount, '')
        ~ '^(\x01[0-9]+(\.[0-9][0-9]?)?)*$'
        AND (octet_length(p_billed_amount) > 7 AND p_billed_amount ~ '^[0-9]{8}') IS NOT TRUE
        AND (octet_length(p_allowed_amount) > 7 AND p_allowed_amount ~ '^[0-9]{8}') IS NOT TRUE
        AND (octet_length(p_paid_amount) > 7 AND p_paid_amount ~ '^[0-9]{8}') IS NOT TRUE
        AND (
            p_denial_code IS NULL
            OR (p_denial_code ~ '^[A-Z0-9-]+$' AND octet_length(p_denial_code) <= 20)
        );
$function$;

COMMENT ON FUNCTION ingest.is_well_formed(
    text, text, text, text, text, text, text, text, text, text, text
) IS
'Whether a staged row needs no closer look, apart from values that are checked once for all rows that hold them (payer, CPT code, dates). False says nothing yet: ingest.normalise_staging may help. A few cheap tests, since every row of every file goes through it.';

REVOKE ALL ON FUNCTION ingest.is_well_formed(
    text, text, text, text, text, text, text, text, text, text, text
) FROM public;
