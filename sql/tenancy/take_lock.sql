CREATE OR REPLACE FUNCTION tenancy.take_lock(
    p_customer_id bigint,
    p_name text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
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

    PERFORM pg_advisory_xact_lock(hashtextextended(p_name, p_customer_id));
END;
$function$;

COMMENT ON FUNCTION tenancy.take_lock(bigint, text) IS
'Waits for one of a customer''s advisory locks and holds it until the transaction ends. What ingest.lock_customer and drift.lock_customer share: call those. Raises PD001 unless the transaction is READ COMMITTED.';

REVOKE ALL ON FUNCTION tenancy.take_lock(bigint, text) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.take_lock(bigint, text)
TO claimdrift_tenant, claimdrift_platform;
