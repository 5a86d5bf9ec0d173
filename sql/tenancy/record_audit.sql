CREATE OR REPLACE FUNCTION tenancy.record_audit(
    p_table text,
    p_operation text,
    p_old jsonb,
    p_new jsonb
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- DEFINER: runtime roles must not be able to write, or unwrite, the trail.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_trigger_depth() = 0 THEN
        RAISE EXCEPTION 'audit entries are written by triggers only'
            USING
                ERRCODE = 'PD011',
                HINT = 'Change the table itself.';
    END IF;

    INSERT INTO public.audit_entry (
        customer_id, table_name, row_id, operation, actor_id, login, changes
    )
    SELECT
        (row_now.value ->> 'customer_id')::bigint,
        p_table,
        (row_now.value ->> 'id')::bigint,
        p_operation,
        nullif(current_setting('app.actor_id', true), '')::bigint,
        session_user,
        difference.changes
    FROM jsonb_array_elements(coalesce(p_new, p_old)) AS row_now (value)
    LEFT JOIN jsonb_array_elements(p_old) AS row_before (value)
        ON row_before.value -> 'id' = row_now.value -> 'id' AND p_new IS NOT NULL
    CROSS JOIN LATERAL (
        SELECT
            jsonb_object_agg(
                field.key,
                jsonb_build_array(
                    CASE WHEN p_new IS NULL THEN field.value ELSE row_before.value -> field.key END,
                    CASE WHEN p_new IS NULL THEN NULL ELSE field.value END
                )
            ) AS changes
        FROM jsonb_each(row_now.value) AS field
        WHERE p_operation <> 'update' OR row_before.value -> field.key IS DISTINCT FROM field.value
    ) AS difference
    WHERE
        difference.changes IS NOT NULL
        -- Rows go before their customer does; an entry must not outlive it.
        AND EXISTS (
            SELECT FROM public.customer AS c
            WHERE c.id = (row_now.value ->> 'customer_id')::bigint
        )
    ORDER BY 1, 3;
END;
$function$;

COMMENT ON FUNCTION tenancy.record_audit(text, text, jsonb, jsonb) IS
'Appends one audit_entry for each changed row: {column: [before, after]}, the user in app.actor_id and the login. p_old and p_new are arrays of rows, NULL where the operation (insert, update, delete) has none. Raises PD011 outside of a trigger.';

REVOKE ALL ON FUNCTION tenancy.record_audit(text, text, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenancy.record_audit(text, text, jsonb, jsonb)
TO claimdrift_tenant, claimdrift_platform;
