CREATE OR REPLACE FUNCTION ingest.keep_former_code(
    p_customer_id bigint,
    p_cpt_group_id bigint,
    p_former_name text
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    INSERT INTO public.cpt_mapping (customer_id, cpt, cpt_group_id)
    SELECT
        p_customer_id,
        -- The planner may cast a name to the column's type before it has looked at the filter.
        left(code.cpt, 20),
        p_cpt_group_id
    FROM (SELECT upper(p_former_name) AS cpt) AS code
    WHERE
        code.cpt ~ '^[A-Z0-9][A-Z0-9.-]{0,19}$'
        -- Codes have a digit, but for a payer's own; "Visits" needs no mapping.
        AND (
            code.cpt ~ '[0-9]'
            OR EXISTS (
                SELECT FROM public.claim AS c
                WHERE c.customer_id = p_customer_id AND c.cpt = code.cpt
            )
        )
    -- Mapped already, it didn't lead here before either.
    ON CONFLICT (customer_id, cpt) DO NOTHING;
$function$;

COMMENT ON FUNCTION ingest.keep_former_code(bigint, bigint, text) IS
'Maps the code that a renamed CPT group was named after to it, so that claims and files that have it still lead there; called by trigger. Does nothing for a name that is no code.';

REVOKE ALL ON FUNCTION ingest.keep_former_code(bigint, bigint, text) FROM public;
GRANT EXECUTE ON FUNCTION ingest.keep_former_code(bigint, bigint, text)
TO claimdrift_tenant, claimdrift_platform;
