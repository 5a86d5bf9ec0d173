CREATE OR REPLACE FUNCTION tenancy.create_defaults(
    p_customer_ids bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: whoever may add a customer needs no right to write its settings.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO public.drift_settings (customer_id)
    SELECT new_customer.id
    FROM unnest(p_customer_ids) AS new_customer (id)
    ORDER BY new_customer.id
    ON CONFLICT (customer_id) DO NOTHING;

    INSERT INTO public.alert_rule (customer_id, name)
    SELECT
        new_customer.id,
        'Any worsening'
    FROM unnest(p_customer_ids) AS new_customer (id)
    ORDER BY new_customer.id
    ON CONFLICT DO NOTHING;
END;
$function$;

COMMENT ON FUNCTION tenancy.create_defaults(bigint[]) IS
'Gives new customers their drift_settings and the default alert rule; called by trigger for each way in which a customer can be inserted. Does nothing for those who have them.';

REVOKE ALL ON FUNCTION tenancy.create_defaults(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.create_defaults(bigint[]) TO claimdrift_platform;
