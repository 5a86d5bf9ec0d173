CREATE OR REPLACE FUNCTION ingest.amount_problem(
    p_amount text
)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT CASE
        WHEN p_amount IS NULL OR p_amount ~ '^[0-9]{1,7}(\.[0-9]{1,2})?$' THEN NULL
        WHEN p_amount ~ '^-[0-9]+(\.[0-9]+)?$' THEN 'is negative'
        WHEN p_amount ~ '^[0-9]+(\.[0-9]{1,2})?$' AND ltrim(split_part(p_amount, '.', 1), '0') !~ '^[0-9]{0,7}$'
            THEN 'is above 9,999,999.99'
        ELSE 'isn''t an amount: digits, and at most two after a decimal point'
    END;
$function$;

COMMENT ON FUNCTION ingest.amount_problem(text) IS
'Why a text is no amount from 0 to 9,999,999.99; NULL if it is one, or NULL.';

REVOKE ALL ON FUNCTION ingest.amount_problem(text) FROM public;
