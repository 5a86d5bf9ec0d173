CREATE OR REPLACE FUNCTION tenancy.remove_member(
    p_customer_id bigint,
    p_membership_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: memberships of a tenant are written by stored functions only.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_membership public.membership;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    v_membership := tenancy.find_membership(
        p_customer_id => p_customer_id, p_membership_id => p_membership_id
    );
    PERFORM tenancy.keep_admin(p_membership => v_membership);

    DELETE FROM public.membership AS m
    WHERE m.customer_id = p_customer_id AND m.id = p_membership_id;
END;
$function$;

COMMENT ON FUNCTION tenancy.remove_member(bigint, bigint) IS
'Ends a membership and, by trigger, the user''s tokens for the customer; the user stays. Raises PD001 to PD004, PD013 (the customer''s last admin), PD016 (no such membership).';

REVOKE ALL ON FUNCTION tenancy.remove_member(bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.remove_member(bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
