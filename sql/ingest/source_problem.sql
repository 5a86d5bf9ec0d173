CREATE OR REPLACE FUNCTION ingest.source_problem(
    p_source text
)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT CASE
        WHEN p_source ~ '[[:cntrl:]]' THEN 'contains a control character'
        WHEN length(p_source) > 64 THEN 'is longer than 64 characters'
    END;
$function$;

COMMENT ON FUNCTION ingest.source_problem(text) IS
'What is wrong with the name of a billing system; NULL if nothing is, or for NULL.';

REVOKE ALL ON FUNCTION ingest.source_problem(text) FROM public;
