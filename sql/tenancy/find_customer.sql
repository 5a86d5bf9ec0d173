CREATE OR REPLACE FUNCTION tenancy.find_customer(
    p_customer_id bigint
)
RETURNS public.customer
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_customer public.customer;
BEGIN
    SELECT c.*
    INTO v_customer
    FROM public.customer AS c
    WHERE c.id = p_customer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown customer'
            USING
                ERRCODE = 'PD004',
                DETAIL = format('There is no customer %s.', p_customer_id),
                HINT = 'Look the id up in customer.';
    END IF;
    RETURN v_customer;
END;
$function$;

COMMENT ON FUNCTION tenancy.find_customer(bigint) IS
'The customer with this id. Raises PD004 for an unknown one.';

REVOKE ALL ON FUNCTION tenancy.find_customer(bigint) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.find_customer(bigint) TO claimdrift_tenant, claimdrift_platform;
