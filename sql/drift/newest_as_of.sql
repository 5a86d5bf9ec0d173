CREATE OR REPLACE FUNCTION drift.newest_as_of(
    p_customer_id bigint
)
RETURNS date
LANGUAGE sql
STABLE
AS $function$
    SELECT max(r.as_of)
    FROM public.drift_run AS r
    WHERE r.customer_id = p_customer_id AND r.applied;
$function$;

COMMENT ON FUNCTION drift.newest_as_of(bigint) IS
'The newest as_of that a run of this customer was applied for: where its alerts stand. NULL before the first.';

REVOKE ALL ON FUNCTION drift.newest_as_of(bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.newest_as_of(bigint) TO claimdrift_tenant, claimdrift_platform;
