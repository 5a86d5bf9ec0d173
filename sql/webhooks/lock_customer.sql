CREATE OR REPLACE FUNCTION webhooks.lock_customer(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    PERFORM tenancy.take_lock(p_customer_id => p_customer_id, p_name => 'claimdrift.webhooks');
END;
$function$;

COMMENT ON FUNCTION webhooks.lock_customer(bigint) IS
'Waits for, and holds until the transaction ends, the lock under which it is decided which of a customer''s deliveries are attempted. Held for a moment only: nothing that may take long takes it. Raises PD001 unless the transaction is READ COMMITTED, PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION webhooks.lock_customer(bigint) FROM public;
GRANT EXECUTE ON FUNCTION webhooks.lock_customer(bigint) TO claimdrift_tenant, claimdrift_platform;
