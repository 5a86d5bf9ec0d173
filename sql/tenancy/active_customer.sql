CREATE OR REPLACE FUNCTION tenancy.active_customer(
    p_customer_id bigint
)
RETURNS public.customer
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_customer CONSTANT public.customer := tenancy.find_customer(p_customer_id => p_customer_id);
BEGIN
    IF v_customer.status <> 'active' THEN
        RAISE EXCEPTION 'customer suspended'
            USING
                ERRCODE = 'PD005',
                DETAIL = format('Customer %s is %s.', p_customer_id, v_customer.status),
                HINT = 'Set its status to active first.';
    END IF;
    RETURN v_customer;
END;
$function$;

COMMENT ON FUNCTION tenancy.active_customer(bigint) IS
'The customer with this id. Raises PD004 for an unknown one, PD005 for one that is suspended.';

REVOKE ALL ON FUNCTION tenancy.active_customer(bigint) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.active_customer(bigint) TO claimdrift_tenant, claimdrift_platform;
