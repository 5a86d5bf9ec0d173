CREATE OR REPLACE FUNCTION tenancy.authorize(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
AS $function$
DECLARE
    v_context CONSTANT text := nullif(current_setting('app.customer_id', true), '');
BEGIN
    IF p_customer_id IS NULL THEN
        RAISE EXCEPTION 'no customer given'
            USING
                ERRCODE = 'PD004',
                HINT = 'Pass p_customer_id, the id of a row of customer.';
    END IF;
    -- Within SECURITY DEFINER current_user is the owner; the setting "role" still names the caller.
    IF v_context IS NULL AND current_setting('role') <> 'claimdrift_tenant' THEN
        RETURN;
    END IF;
    IF tenancy.current_customer_id() <> p_customer_id THEN
        RAISE EXCEPTION 'not this customer''s context'
            USING
                ERRCODE = 'PD003',
                DETAIL = format('The context is customer %s.', v_context),
                HINT = 'A tenant works on its own customer only.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION tenancy.authorize(bigint) IS
'Refuses a customer that isn''t the one in context: called first by every function that takes p_customer_id. Callers that are not claimdrift_tenant and have no app.customer_id set pass any. Raises PD002 (tenant role without context), PD003 (another customer), PD004 (NULL).';

REVOKE ALL ON FUNCTION tenancy.authorize(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.authorize(bigint)
TO claimdrift_tenant, claimdrift_platform;
