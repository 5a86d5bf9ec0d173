CREATE OR REPLACE FUNCTION ingest.trimmed(
    p_value text
)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT nullif(regexp_replace(p_value, '^\s+|\s+$', '', 'g'), '');
$function$;

COMMENT ON FUNCTION ingest.trimmed(text) IS
'The value without whitespace around it; NULL when nothing is left.';

REVOKE ALL ON FUNCTION ingest.trimmed(text) FROM public;
