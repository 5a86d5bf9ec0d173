CREATE OR REPLACE FUNCTION tenancy.change_role(
    p_customer_id bigint,
    p_membership_id bigint,
    p_role text
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
    PERFORM tenancy.check_role(p_role => p_role);
    v_membership := tenancy.find_membership(
        p_customer_id => p_customer_id, p_membership_id => p_membership_id
    );
    IF p_role <> 'admin' THEN
        PERFORM tenancy.keep_admin(p_membership => v_membership);
    END IF;

    UPDATE public.membership AS m
    SET role = p_role
    WHERE m.customer_id = p_customer_id AND m.id = p_membership_id;
END;
$function$;

COMMENT ON FUNCTION tenancy.change_role(bigint, bigint, text) IS
'Makes a member an admin, or an admin a member; it counts from the next request on. Raises PD001 to PD004, PD008 (no such role), PD013 (the customer''s last admin), PD016 (no such membership).';

REVOKE ALL ON FUNCTION tenancy.change_role(bigint, bigint, text) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.change_role(bigint, bigint, text)
TO claimdrift_tenant, claimdrift_platform;
