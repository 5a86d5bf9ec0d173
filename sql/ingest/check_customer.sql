CREATE OR REPLACE FUNCTION ingest.check_customer(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_status text;
BEGIN
    SELECT c.status
    INTO v_status
    FROM public.customer AS c
    WHERE c.id = p_customer_id;

    IF v_status IS NULL THEN
        RAISE EXCEPTION 'no such customer'
            USING
                ERRCODE = 'PD004',
                DETAIL = format('There is no customer with the id %s.', p_customer_id),
                HINT = 'Pass p_customer_id, the id of a row of customer.';
    END IF;
    IF v_status <> 'active' THEN
        RAISE EXCEPTION 'the customer is %', v_status
            USING
                ERRCODE = 'PD005',
                HINT = 'Claims are only loaded for active customers.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION ingest.check_customer(bigint) IS
'Raises PD004 for a customer that doesn''t exist, PD005 for one that isn''t active.';

REVOKE ALL ON FUNCTION ingest.check_customer(bigint) FROM public;
