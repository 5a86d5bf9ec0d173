CREATE OR REPLACE FUNCTION drift.is_look(
    p_customer_id bigint,
    p_as_of date
)
RETURNS boolean
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    -- Somebody else's runs can't be seen, and none would make any day a look.
    PERFORM tenancy.authorize(p_customer_id);
    RETURN (
        SELECT coalesce(bool_or(r.as_of = p_as_of) OR max(r.as_of) + 7 <= p_as_of, true)
        FROM public.drift_run AS r
        WHERE r.customer_id = p_customer_id AND r.applied AND r.is_look
    );
END;
$function$;

COMMENT ON FUNCTION drift.is_look(bigint, date) IS
'Whether a run as of this day is a look, on which alerts open at the full false discovery rate: the first one, one at least 7 days after the newest look, or a look''s day again. On days between, a tenth of the rate applies, so that daily runs raise no more false alerts than weekly ones. Raises PD002 and PD003.';

REVOKE ALL ON FUNCTION drift.is_look(bigint, date) FROM public;
GRANT EXECUTE ON FUNCTION drift.is_look(bigint, date) TO claimdrift_tenant, claimdrift_platform;
