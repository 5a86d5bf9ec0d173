CREATE OR REPLACE FUNCTION tenancy.add_member(
    p_customer_id bigint,
    p_email text,
    p_name text,
    p_role text
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
-- DEFINER: an admin may give access to the own customer, not write users or memberships at will.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_email CONSTANT text := lower(btrim(p_email));
    v_membership_id bigint;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM tenancy.find_customer(p_customer_id => p_customer_id);
    PERFORM tenancy.check_role(p_role => p_role);
    IF v_email IS NULL OR v_email !~ '^[^@\s]+@[^@\s]+$' THEN
        RAISE EXCEPTION 'no e-mail address'
            USING ERRCODE = 'PD008', HINT = 'Pass an address such as name@example.org.';
    END IF;

    -- Somebody who is known already keeps the password: they may belong to other customers. The name
    -- is the customer's own for them, for the same reason.
    -- The password is one that nobody can have, as Django writes it.
    INSERT INTO public.user (email, password)
    VALUES (
        v_email,
        '!' || left(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 40)
    )
    ON CONFLICT (email) DO NOTHING;

    -- A statement of its own: it sees the user whom somebody else has just added.
    INSERT INTO public.membership (customer_id, user_id, role, name)
    SELECT
        p_customer_id,
        u.id,
        p_role,
        coalesce(btrim(p_name), '')
    FROM public.user AS u
    WHERE u.email = v_email
    RETURNING id INTO STRICT v_membership_id;
    RETURN v_membership_id;
END;
$function$;

COMMENT ON FUNCTION tenancy.add_member(bigint, text, text, text) IS
'Makes the user with this e-mail address (in any case) a member of a customer and returns the membership''s id. p_name is what the customer calls the person. Adds the user, without a password, where there is none; one that is known is left as it is. Raises PD002 to PD004 like tenancy.authorize, PD004 for an unknown customer, PD008 (role, address), unique_violation of membership_customer_user_key for a member.';

REVOKE ALL ON FUNCTION tenancy.add_member(bigint, text, text, text) FROM public;
GRANT EXECUTE ON FUNCTION tenancy.add_member(bigint, text, text, text)
TO claimdrift_tenant, claimdrift_platform;
