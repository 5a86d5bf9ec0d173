CREATE OR REPLACE FUNCTION ingest.check_payer(
    p_customer_id bigint,
    p_payer_id bigint,
    p_name text,
    p_former_merged_into_id bigint,
    p_merged_into_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_other_id bigint;
BEGIN
    -- Stored functions run as the owner, and have decided already: an alias that somebody adds
    -- while a file is loaded must not fail the file.
    IF pg_catalog.pg_has_role(current_user, 'claimdrift_owner', 'MEMBER') THEN
        RETURN;
    END IF;

    IF p_merged_into_id IS DISTINCT FROM p_former_merged_into_id THEN
        RAISE EXCEPTION 'payers are merged by a function'
            USING
                ERRCODE = 'PD014',
                DETAIL = format('merged_into_id of payer %s was written.', p_payer_id),
                HINT = 'Call ingest.merge_payers, which moves what belongs to the payer, too.';
    END IF;
    IF p_merged_into_id IS NOT NULL THEN
        RAISE EXCEPTION 'the payer was merged'
            USING
                ERRCODE = 'PD014',
                DETAIL = format('Payer %s was merged into payer %s.', p_payer_id, p_merged_into_id),
                HINT = 'Rename the payer that it was merged into.';
    END IF;

    SELECT a.payer_id
    INTO v_other_id
    FROM public.payer_alias AS a
    WHERE
        a.customer_id = p_customer_id
        AND lower(a.alias) = lower(p_name)
        AND a.payer_id <> p_payer_id;
    IF FOUND THEN
        RAISE EXCEPTION 'the name is an alias of another payer'
            USING
                ERRCODE = 'PD014',
                DETAIL = format('It is an alias of payer %s, to which its claims go.', v_other_id),
                HINT = 'Choose another name, delete the alias, or merge the payers.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION ingest.check_payer(bigint, bigint, text, bigint, bigint) IS
'What a user may not do to a payer: rename one that was merged, write merged_into_id, or give it a name that is an alias of another, since claims under it go there. Called by trigger when a payer is added (former NULL) or changed. Raises PD014.';

REVOKE ALL ON FUNCTION ingest.check_payer(bigint, bigint, text, bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.check_payer(bigint, bigint, text, bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
