CREATE OR REPLACE FUNCTION ingest.lock_customer(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM tenancy.take_lock(p_customer_id => p_customer_id, p_name => 'claimdrift.ingest');
END;
$function$;

COMMENT ON FUNCTION ingest.lock_customer(bigint) IS
'Waits for, and holds until the transaction ends, the one lock under which a customer''s claims are written. Detection and alerts don''t wait for it; whoever needs drift.lock_customer as well takes this one first. Call it on its own, before reading anything that a decision rests on. Raises PD001 unless the transaction is READ COMMITTED.';

REVOKE ALL ON FUNCTION ingest.lock_customer(bigint) FROM public;
