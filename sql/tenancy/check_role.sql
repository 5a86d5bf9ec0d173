CREATE OR REPLACE FUNCTION tenancy.check_role(
    p_role text
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
AS $function$
BEGIN
    IF p_role IS NULL OR p_role NOT IN ('admin', 'member') THEN
        RAISE EXCEPTION 'unknown role'
            USING ERRCODE = 'PD008', HINT = 'A role is admin or member.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION tenancy.check_role(text) IS
'Raises PD008 unless the argument is what a member can be: admin or member.';

REVOKE ALL ON FUNCTION tenancy.check_role(text) FROM public;
