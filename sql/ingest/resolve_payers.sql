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
    -- Held until the claims are in, so that none is deleted before. Waits for whoever just does.
    PERFORM
    FROM public.payer AS p
    WHERE
        p.customer_id = p_customer_id
        AND (
            lower(p.name) IN (SELECT lower(wanted.name) FROM unnest(p_names) AS wanted (name))
            OR p.id IN (
                SELECT a.payer_id
                FROM public.payer_alias AS a
                WHERE
                    a.customer_id = p_customer_id
                    AND lower(a.alias) IN (
                        SELECT lower(wanted.name) FROM unnest(p_names) AS wanted (name)
                    )
            )
        )
    ORDER BY p.id
    FOR KEY SHARE;

    -- An update that changes nothing, in place of DO NOTHING: one that somebody else just adds is
    -- waited for and locked as well.
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
        meant.name,
        p.id
    FROM (
        SELECT
            wanted.name,
            coalesce(a.payer_id, named.id) AS payer_id
        FROM unnest(p_names) AS wanted (name)
        LEFT JOIN public.payer_alias AS a
            ON a.customer_id = p_customer_id AND lower(a.alias) = lower(wanted.name)
        LEFT JOIN public.payer AS named
            ON named.customer_id = p_customer_id AND lower(named.name) = lower(wanted.name)
    ) AS meant
    JOIN public.payer AS m ON m.customer_id = p_customer_id AND m.id = meant.payer_id
    -- A merged payer stays merged, even when somebody deletes the alias that its name became.
    JOIN public.payer AS p
        ON p.customer_id = p_customer_id AND p.id = coalesce(m.merged_into_id, m.id)
    FOR KEY SHARE OF p;
END;
$function$;

COMMENT ON FUNCTION ingest.resolve_payers(bigint, text[]) IS
'The payer that each name means, by alias or else by name, in any case, or the one that it was merged into; unknown ones are created. An alias wins over a payer of that name, and leads to a payer, not to another name: there are no chains.';

REVOKE ALL ON FUNCTION ingest.resolve_payers(bigint, text[]) FROM public;
