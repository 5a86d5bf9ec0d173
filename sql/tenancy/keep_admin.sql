CREATE OR REPLACE FUNCTION tenancy.keep_admin(
    p_membership public.membership
)
RETURNS void
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    IF p_membership.role = 'admin' AND NOT EXISTS (
        SELECT
        FROM public.membership AS m
        JOIN public.user AS u ON u.id = m.user_id
        WHERE
            m.customer_id = p_membership.customer_id
            AND m.id <> p_membership.id
            AND m.role = 'admin'
            AND u.is_active
    ) THEN
        RAISE EXCEPTION 'last admin'
            USING
                ERRCODE = 'PD013',
                DETAIL = format('Customer %s has no other admin.', p_membership.customer_id),
                HINT = 'Make somebody else an admin first.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION tenancy.keep_admin(public.membership) IS
'Raises PD013 if this member is an admin and the customer has no other whose user is active: nobody could then manage it. Call it under the lock that tenancy.find_membership takes.';

REVOKE ALL ON FUNCTION tenancy.keep_admin(public.membership) FROM public;
