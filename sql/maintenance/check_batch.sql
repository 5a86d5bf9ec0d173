CREATE OR REPLACE FUNCTION maintenance.check_batch(
    p_batch int
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
AS $function$
BEGIN
    IF p_batch IS NULL OR p_batch < 1 THEN
        RAISE EXCEPTION 'nothing would be deleted'
            USING
                ERRCODE = 'PD030',
                DETAIL = format('p_batch is %s.', coalesce(p_batch::text, 'NULL')),
                HINT = 'Pass how many rows of a table one call may delete, 1 or more.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION maintenance.check_batch(int) IS
'Raises PD030 unless the argument is a number of rows that a call may delete: 1 or more.';

REVOKE ALL ON FUNCTION maintenance.check_batch(int) FROM public;
