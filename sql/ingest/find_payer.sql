CREATE OR REPLACE FUNCTION ingest.find_payer(
    p_customer_id bigint,
    p_payer_id bigint
)
RETURNS public.payer
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    v_payer public.payer;
BEGIN
    SELECT p.*
    INTO v_payer
    FROM public.payer AS p
    WHERE p.customer_id = p_customer_id AND p.id = p_payer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown payer'
            USING
                ERRCODE = 'PD016',
                DETAIL = format('Customer %s has no payer %s.', p_customer_id, p_payer_id),
                HINT = 'Look the id up in payer.';
    END IF;
    RETURN v_payer;
END;
$function$;

COMMENT ON FUNCTION ingest.find_payer(bigint, bigint) IS
'A payer of the customer. Raises PD016 when there is none with this id.';

REVOKE ALL ON FUNCTION ingest.find_payer(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION ingest.find_payer(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
