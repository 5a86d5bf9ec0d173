CREATE OR REPLACE FUNCTION ingest.resolve_groups(
    p_customer_id bigint,
    p_cpts text[]
)
RETURNS TABLE (
    wanted_cpt text,
    cpt_group_id bigint
)
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    -- See ingest.resolve_payers.
    PERFORM
    FROM public.cpt_group AS g
    WHERE
        g.customer_id = p_customer_id
        AND (
            lower(g.name) IN (SELECT lower(wanted.cpt) FROM unnest(p_cpts) AS wanted (cpt))
            OR g.id IN (
                SELECT m.cpt_group_id
                FROM public.cpt_mapping AS m
                WHERE
                    m.customer_id = p_customer_id
                    AND m.cpt IN (SELECT wanted.cpt FROM unnest(p_cpts) AS wanted (cpt))
            )
        )
    ORDER BY g.id
    FOR KEY SHARE;

    INSERT INTO public.cpt_group AS existing (customer_id, name)
    SELECT DISTINCT ON (lower(wanted.cpt))
        p_customer_id,
        wanted.cpt
    FROM unnest(p_cpts) AS wanted (cpt)
    WHERE
        NOT EXISTS (
            SELECT
            FROM public.cpt_mapping AS m
            WHERE m.customer_id = p_customer_id AND m.cpt = wanted.cpt
        )
        AND NOT EXISTS (
            SELECT
            FROM public.cpt_group AS g
            WHERE g.customer_id = p_customer_id AND lower(g.name) = lower(wanted.cpt)
        )
    ORDER BY lower(wanted.cpt), wanted.cpt
    ON CONFLICT (customer_id, lower(name)) DO UPDATE SET name = existing.name;

    RETURN QUERY
    SELECT
        meant.cpt,
        g.id
    FROM (
        SELECT
            wanted.cpt,
            coalesce(m.cpt_group_id, named.id) AS cpt_group_id
        FROM unnest(p_cpts) AS wanted (cpt)
        LEFT JOIN public.cpt_mapping AS m ON m.customer_id = p_customer_id AND m.cpt = wanted.cpt
        LEFT JOIN public.cpt_group AS named
            ON named.customer_id = p_customer_id AND lower(named.name) = lower(wanted.cpt)
    ) AS meant
    JOIN public.cpt_group AS g ON g.customer_id = p_customer_id AND g.id = meant.cpt_group_id
    FOR KEY SHARE OF g;
END;
$function$;

COMMENT ON FUNCTION ingest.resolve_groups(bigint, text[]) IS
'The group that each CPT code (in upper case) belongs to: the mapped one, or else one that is named after the code, created where it is missing.';

REVOKE ALL ON FUNCTION ingest.resolve_groups(bigint, text[]) FROM public;
