CREATE OR REPLACE FUNCTION tenancy.find_membership(
    p_customer_id bigint,
    p_membership_id bigint
)
RETURNS public.membership
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_membership public.membership;
BEGIN
    -- Two admins who demote each other must not each count on the other.
    PERFORM tenancy.take_lock(p_customer_id => p_customer_id, p_name => 'claimdrift.membership');

    SELECT m.*
    INTO v_membership
    FROM public.membership AS m
    WHERE m.customer_id = p_customer_id AND m.id = p_membership_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown membership'
            USING
                ERRCODE = 'PD016',
                DETAIL = format('Customer %s has no membership %s.', p_customer_id, p_membership_id),
                HINT = 'Look the id up in membership.';
    END IF;
    RETURN v_membership;
END;
$function$;

COMMENT ON FUNCTION tenancy.find_membership(bigint, bigint) IS
'A membership of the customer, under the lock that orders all that changes or ends one: held until the transaction ends. Raises PD001 unless READ COMMITTED, PD016 when there is none with this id.';

REVOKE ALL ON FUNCTION tenancy.find_membership(bigint, bigint) FROM public;
