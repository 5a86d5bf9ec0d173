CREATE OR REPLACE FUNCTION ingest.check_merge(
    p_payer public.payer,
    p_into public.payer
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
AS $function$
BEGIN
    IF
        p_payer.id = p_into.id
        OR p_payer.merged_into_id IS NOT NULL
        OR p_into.merged_into_id IS NOT NULL
    THEN
        RAISE EXCEPTION 'impossible merge'
            USING
                ERRCODE = 'PD014',
                DETAIL = CASE
                    WHEN p_payer.id = p_into.id THEN format('Both are payer %s.', p_payer.id)
                    ELSE format(
                        'Payer %s was merged into payer %s.',
                        CASE WHEN p_payer.merged_into_id IS NULL THEN p_into.id ELSE p_payer.id END,
                        coalesce(p_payer.merged_into_id, p_into.merged_into_id)
                    )
                END,
                HINT = CASE
                    WHEN p_payer.id = p_into.id THEN 'A payer is merged into another one.'
                    WHEN p_payer.merged_into_id IS NULL
                        THEN 'Merge it into the payer that the other was merged into.'
                    ELSE 'Merge the payer that it was merged into.'
                END;
    END IF;
END;
$function$;

COMMENT ON FUNCTION ingest.check_merge(public.payer, public.payer) IS
'Raises PD014 unless the first payer can be merged into the second: another one, and neither is merged itself.';

REVOKE ALL ON FUNCTION ingest.check_merge(public.payer, public.payer) FROM public;
