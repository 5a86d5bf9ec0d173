CREATE OR REPLACE FUNCTION ingest.check_unmerged(
    p_customer_id bigint,
    p_payer_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_payer public.payer;
BEGIN
    -- The reference has been checked before: a merge that was under way has been waited for.
    v_payer := ingest.find_payer(p_customer_id => p_customer_id, p_payer_id => p_payer_id);
    IF v_payer.merged_into_id IS NOT NULL THEN
        RAISE EXCEPTION 'the payer was merged'
            USING
                ERRCODE = 'PD014',
                DETAIL = format(
                    'Payer %s was merged into payer %s.', p_payer_id, v_payer.merged_into_id
                ),
                HINT = 'Name the payer that it was merged into.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION ingest.check_unmerged(bigint, bigint) IS
'Raises PD014 if the payer was merged into another: nothing of it is to come. Called by trigger when an alias or a rule names a payer.';

REVOKE ALL ON FUNCTION ingest.check_unmerged(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.check_unmerged(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
