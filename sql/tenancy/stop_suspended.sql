CREATE OR REPLACE FUNCTION tenancy.stop_suspended(
    p_customer_ids bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: tokens are written by stored functions only. procrastinate's triggers name its tables
-- without a schema, hence public.
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_suspended bigint[];
BEGIN
    SELECT array_agg(c.id ORDER BY c.id)
    INTO v_suspended
    FROM public.customer AS c
    WHERE c.id = ANY(p_customer_ids) AND c.status = 'suspended';
    IF v_suspended IS NULL THEN
        RETURN;
    END IF;

    DELETE FROM public.api_token AS t
    WHERE t.customer_id = ANY(v_suspended);
    -- A job that has started already is refused by the function it calls.
    UPDATE public.procrastinate_jobs AS j
    SET status = 'cancelled'
    WHERE j.status = 'todo' AND (j.args ->> 'customer_id')::bigint = ANY(v_suspended);
END;
$function$;

COMMENT ON FUNCTION tenancy.stop_suspended(bigint[]) IS
'Revokes the tokens and cancels the waiting jobs of those of the customers that are suspended; called by trigger on customer.';

REVOKE ALL ON FUNCTION tenancy.stop_suspended(bigint[]) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.stop_suspended(bigint[]) TO claimdrift_platform;
