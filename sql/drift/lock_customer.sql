CREATE OR REPLACE FUNCTION drift.lock_customer(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    PERFORM tenancy.take_lock(p_customer_id => p_customer_id, p_name => 'claimdrift.drift');
END;
$function$;

COMMENT ON FUNCTION drift.lock_customer(bigint) IS
'Waits for, and holds until the transaction ends, the one lock under which a customer''s drift and alert state is decided and written. Call it on its own, before reading anything that a decision rests on. Raises PD001 unless the transaction is READ COMMITTED, PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION drift.lock_customer(bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.lock_customer(bigint) TO claimdrift_tenant, claimdrift_platform;
