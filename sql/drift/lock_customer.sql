CREATE OR REPLACE FUNCTION drift.lock_customer(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    -- In the other levels statements after the lock would still see what was before it.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'wrong isolation level'
            USING
                ERRCODE = 'PD001',
                DETAIL = format(
                    'This transaction is %s.', upper(current_setting('transaction_isolation'))
                ),
                HINT = 'Use READ COMMITTED: decisions are read after the lock was waited for.';
    END IF;

    PERFORM pg_advisory_xact_lock(hashtextextended('claimdrift.drift', p_customer_id));
END;
$function$;

COMMENT ON FUNCTION drift.lock_customer(bigint) IS
'Waits for, and holds until the transaction ends, the one lock under which a customer''s drift and alert state is decided and written. Call it on its own, before reading anything that a decision rests on. Raises PD001 unless the transaction is READ COMMITTED, PD002 to PD004 like tenancy.authorize.';

REVOKE ALL ON FUNCTION drift.lock_customer(bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.lock_customer(bigint) TO claimdrift_tenant, claimdrift_platform;
