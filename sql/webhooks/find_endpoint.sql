CREATE OR REPLACE FUNCTION webhooks.find_endpoint(
    p_customer_id bigint,
    p_endpoint_id bigint
)
RETURNS public.webhook_endpoint
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_endpoint public.webhook_endpoint;
BEGIN
    SELECT w.*
    INTO v_endpoint
    FROM public.webhook_endpoint AS w
    WHERE w.customer_id = p_customer_id AND w.id = p_endpoint_id
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown webhook endpoint'
            USING
                ERRCODE = 'PD016',
                DETAIL = format('The customer has no webhook endpoint %s.', p_endpoint_id),
                HINT = 'Look the id up in webhook_endpoint.';
    END IF;
    RETURN v_endpoint;
END;
$function$;

COMMENT ON FUNCTION webhooks.find_endpoint(bigint, bigint) IS
'The endpoint with this id, as it is once nobody else writes it; its row stays locked until the transaction ends. Raises PD016 for an unknown one.';

REVOKE ALL ON FUNCTION webhooks.find_endpoint(bigint, bigint) FROM public;
