CREATE OR REPLACE FUNCTION tenancy.current_customer_id()
RETURNS bigint
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
AS $function$
DECLARE
    -- A setting that was used once in a session reads '' afterwards, hence nullif.
    v_setting CONSTANT text := nullif(current_setting('app.customer_id', true), '');
BEGIN
    IF v_setting IS NULL OR v_setting !~ '^[0-9]{1,18}$' THEN
        RAISE EXCEPTION 'no customer context'
            USING
                ERRCODE = 'PD002',
                DETAIL = 'app.customer_id isn''t set to the id of a customer.',
                HINT = 'Set app.customer_id and the role in the same transaction (core.context does).';
    END IF;
    RETURN v_setting::bigint;
END;
$function$;

COMMENT ON FUNCTION tenancy.current_customer_id() IS
'The customer whose context this transaction is in (setting app.customer_id). Raises PD002 without one, so that a forgotten context is an error and not an empty page.';

REVOKE ALL ON FUNCTION tenancy.current_customer_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.current_customer_id()
TO claimdrift_tenant, claimdrift_platform;
