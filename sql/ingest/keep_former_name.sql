CREATE OR REPLACE FUNCTION ingest.keep_former_name(
    p_customer_id bigint,
    p_payer_id bigint,
    p_former_name text
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    INSERT INTO public.payer_alias (customer_id, alias, payer_id)
    VALUES (p_customer_id, p_former_name, p_payer_id)
    -- An alias already, it didn't lead by the name before either.
    ON CONFLICT (customer_id, lower(alias)) DO NOTHING;
$function$;

COMMENT ON FUNCTION ingest.keep_former_name(bigint, bigint, text) IS
'Makes a renamed payer''s former name an alias of it, so that claims and files that have it still lead there; called by trigger.';

REVOKE ALL ON FUNCTION ingest.keep_former_name(bigint, bigint, text) FROM public;
GRANT EXECUTE ON FUNCTION ingest.keep_former_name(bigint, bigint, text)
TO claimdrift_tenant, claimdrift_platform;
