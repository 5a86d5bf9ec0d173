CREATE OR REPLACE FUNCTION tenancy.local_date(
    p_customer_id bigint,
    p_at timestamp with time zone
)
RETURNS date
LANGUAGE sql
STABLE
AS $function$
    SELECT (p_at AT TIME ZONE c.time_zone)::date
    FROM public.customer AS c
    WHERE c.id = p_customer_id;
$function$;

COMMENT ON FUNCTION tenancy.local_date(bigint, timestamp with time zone) IS
'The date it is at p_at in the customer''s time zone; NULL for an unknown customer.';

REVOKE ALL ON FUNCTION tenancy.local_date(bigint, timestamp with time zone) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.local_date(bigint, timestamp with time zone)
TO claimdrift_tenant, claimdrift_platform;
