CREATE OR REPLACE FUNCTION maintenance.check_tenancy()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE sql
STABLE
AS $function$
    SELECT
        'settings_missing',
        c.id,
        c.id,
        'has no drift_settings'
    FROM public.customer AS c
    WHERE NOT EXISTS (SELECT FROM public.drift_settings AS s WHERE s.customer_id = c.id)

    UNION ALL
    SELECT
        'row_security_off',
        NULL,
        c.oid::bigint,
        format(
            'table %s: row-level security is %s',
            c.relname,
            CASE WHEN c.relrowsecurity THEN 'not forced on its owner' ELSE 'not enabled' END
        )
    FROM maintenance.tenant_tables() AS tenant (name)
    JOIN pg_catalog.pg_class AS c
        ON c.relname = tenant.name AND c.relnamespace = 'public'::regnamespace
    WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity)

    UNION ALL
    -- Without it the owner's updates, deletes and SECURITY DEFINER functions see no rows.
    SELECT
        'owner_policy_missing',
        NULL,
        c.oid::bigint,
        format('table %s', c.relname)
    FROM maintenance.tenant_tables() AS tenant (name)
    JOIN pg_catalog.pg_class AS c
        ON c.relname = tenant.name AND c.relnamespace = 'public'::regnamespace
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_policy AS p
        WHERE
            p.polrelid = c.oid
            AND p.polcmd = '*'
            AND 'claimdrift_owner'::regrole = ANY(p.polroles)
            AND pg_catalog.pg_get_expr(p.polqual, c.oid) = 'true'
    )

    UNION ALL
    -- An invalid one still rejects duplicates, but nothing is found through it.
    SELECT
        'index_invalid',
        NULL,
        i.indexrelid::bigint,
        format('index %s, or it is being built', i.indexrelid::regclass)
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT (i.indisvalid AND i.indisready)

    UNION ALL
    SELECT
        'constraint_not_enforced',
        NULL,
        k.oid::bigint,
        format('constraint %s of table %s', k.conname, k.conrelid::regclass)
    FROM pg_catalog.pg_constraint AS k
    WHERE
        k.connamespace = 'public'::regnamespace
        AND k.contype IN ('c', 'f')
        AND NOT (k.convalidated AND k.conenforced)

    UNION ALL
    SELECT
        'trigger_disabled',
        NULL,
        t.oid::bigint,
        format('trigger %s of table %s', t.tgname, t.tgrelid::regclass)
    FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'public'::regnamespace AND t.tgenabled NOT IN ('O', 'A')

    UNION ALL
    SELECT
        'privilege_too_wide',
        NULL,
        c.oid::bigint,
        format('role %s may %s on table %s', role.name, lower(privilege.name), c.relname)
    FROM unnest(
        ARRAY[
            'alert', 'alert_judgment', 'alert_transition', 'api_token', 'audit_entry', 'claim',
            'drift_event', 'drift_measurement', 'drift_run', 'erasure_receipt', 'login_throttle',
            'upload', 'upload_chunk', 'upload_error',
            'webhook_attempt', 'webhook_delivery', 'webhook_event', 'webhook_secret'
        ]
    ) AS written_by_functions (name)
    JOIN pg_catalog.pg_class AS c
        ON c.relname = written_by_functions.name AND c.relnamespace = 'public'::regnamespace
    CROSS JOIN unnest(
        ARRAY['claimdrift_tenant', 'claimdrift_platform', 'claimdrift_web', 'claimdrift_worker']
    ) AS role (name)
    CROSS JOIN unnest(
        ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']
    ) AS privilege (name)
    WHERE
        pg_catalog.has_table_privilege(role.name, c.oid, privilege.name)
        OR privilege.name IN ('INSERT', 'UPDATE')
        AND pg_catalog.has_any_column_privilege(role.name, c.oid, privilege.name);
$function$;

COMMENT ON FUNCTION maintenance.check_tenancy() IS
'Whether tenants are kept apart and history can''t be rewritten: settings_missing (a customer without drift_settings), row_security_off, owner_policy_missing, index_invalid, constraint_not_enforced, trigger_disabled, privilege_too_wide (a runtime role that may write what only stored functions write). object_id is the customer, or the oid of the object. Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_tenancy() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_tenancy() TO claimdrift_platform;
