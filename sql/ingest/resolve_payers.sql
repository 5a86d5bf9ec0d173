CREATE OR REPLACE FUNCTION ingest.resolve_payers(
    p_customer_id bigint,
    p_names text[]
)
RETURNS TABLE (
    wanted_name text,
    payer_id bigint
)
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    -- An update that changes nothing, in place of DO NOTHING: it waits for a payer that is just
    -- being deleted or renamed, and makes it anew.
    INSERT INTO public.payer AS existing (customer_id, name)
    SELECT DISTINCT ON (lower(wanted.name))
        p_customer_id,
        wanted.name
    FROM unnest(p_names) AS wanted (name)
    WHERE
        NOT EXISTS (
            SELECT
            FROM public.payer_alias AS a
            WHERE a.customer_id = p_customer_id AND lower(a.alias) = lower(wanted.name)
        )
        AND NOT EXISTS (
            SELECT
            FROM public.payer AS p
            WHERE p.customer_id = p_customer_id AND lower(p.name) = lower(wanted.name)
        )
    ORDER BY lower(wanted.name), wanted.name
    ON CONFLICT (customer_id, lower(name)) DO UPDATE SET name = existing.name;

    RETURN QUERY
    SELECT
        wanted.name,
        coalesce(a.payer_id, p.id)
    FROM unnest(p_names) AS wanted (name)
    LEFT JOIN public.payer_alias AS a
        ON a.customer_id = p_customer_id AND lower(a.alias) = lower(wanted.name)
    LEFT JOIN public.payer AS p
        ON p.customer_id = p_customer_id AND lower(p.name) = lower(wanted.name);
END;
$function$;

COMMENT ON FUNCTION ingest.resolve_payers(bigint, text[]) IS
'The payer that each name means, by alias or else by name, in any case; unknown ones are created.';

REVOKE ALL ON FUNCTION ingest.resolve_payers(bigint, text[]) FROM public;
