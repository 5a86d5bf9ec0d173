-- The roles of claimdrift. Run once per server, as a superuser, before the first migration:
--
--     psql -d postgres -v ON_ERROR_STOP=1 -f sql/roles.sql
--
-- It can be run again at any time, also by two people at once: it creates what is missing and
-- puts attributes, memberships and settings back to what stands here. It only touches roles named
-- below, holds no psql commands (any driver can execute it) and sets no passwords. Do that
-- yourself, unless the server authenticates otherwise; \password keeps it out of the logs:
--
--     \password claimdrift_web
--     \password claimdrift_worker
--     \password claimdrift_migrator
--
--   claimdrift_owner      owns every object                              no login
--   claimdrift_tenant     what a customer's request is done as           no login
--   claimdrift_platform   what work across customers is done as          no login
--   claimdrift_web        the API: nothing of its own; becomes tenant or platform, never owner
--   claimdrift_worker     the worker and the commands: has platform's rights
--   claimdrift_migrator   migrations: becomes the owner as it logs in
--
-- The database belongs to claimdrift_owner: CREATE DATABASE claimdrift OWNER claimdrift_owner;

BEGIN;

-- Roles are shared by all databases of a server, an advisory lock isn't: this lock is the one that
-- two runs in two databases wait for. Nobody's login waits for it.
LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE;

DO $do$
DECLARE
    v_role text;
    v_membership record;
BEGIN
    FOREACH v_role IN ARRAY ARRAY[
        'claimdrift_owner', 'claimdrift_tenant', 'claimdrift_platform',
        'claimdrift_web', 'claimdrift_worker', 'claimdrift_migrator'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = v_role) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I', v_role);
        END IF;
    END LOOP;

    -- A membership among these roles that isn't granted below, or not with these options, would
    -- open a way around them (web as owner, say). Memberships in other roles, pg_monitor for
    -- example, are the DBA's.
    FOR v_membership IN
        SELECT
            granted.rolname AS granted,
            member.rolname AS member,
            grantor.rolname AS grantor
        FROM pg_catalog.pg_auth_members AS m
        JOIN pg_catalog.pg_roles AS granted ON granted.oid = m.roleid
        JOIN pg_catalog.pg_roles AS member ON member.oid = m.member
        JOIN pg_catalog.pg_roles AS grantor ON grantor.oid = m.grantor
        WHERE
            granted.rolname LIKE 'claimdrift\_%'
            AND member.rolname IN (
                'claimdrift_owner', 'claimdrift_tenant', 'claimdrift_platform',
                'claimdrift_web', 'claimdrift_worker', 'claimdrift_migrator'
            )
            AND (granted.rolname, member.rolname, m.admin_option, m.inherit_option, m.set_option)
            NOT IN (
                ('claimdrift_tenant', 'claimdrift_web', FALSE, FALSE, TRUE),
                ('claimdrift_platform', 'claimdrift_web', FALSE, FALSE, TRUE),
                ('claimdrift_platform', 'claimdrift_worker', FALSE, TRUE, TRUE),
                ('claimdrift_owner', 'claimdrift_migrator', FALSE, TRUE, TRUE)
            )
    LOOP
        EXECUTE pg_catalog.format(
            'REVOKE %I FROM %I GRANTED BY %I CASCADE',
            v_membership.granted, v_membership.member, v_membership.grantor
        );
    END LOOP;
END
$do$;

ALTER ROLE claimdrift_owner
    NOLOGIN INHERIT NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
ALTER ROLE claimdrift_tenant
    NOLOGIN INHERIT NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
ALTER ROLE claimdrift_platform
    NOLOGIN INHERIT NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
ALTER ROLE claimdrift_web
    LOGIN NOINHERIT NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
ALTER ROLE claimdrift_worker
    LOGIN INHERIT NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
ALTER ROLE claimdrift_migrator
    LOGIN INHERIT NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;

GRANT claimdrift_tenant, claimdrift_platform TO claimdrift_web
    WITH ADMIN FALSE, INHERIT FALSE, SET TRUE;
GRANT claimdrift_platform TO claimdrift_worker
    WITH ADMIN FALSE, INHERIT TRUE, SET TRUE;
GRANT claimdrift_owner TO claimdrift_migrator
    WITH ADMIN FALSE, INHERIT TRUE, SET TRUE;

-- Whatever a migration creates belongs to the owner, whoever's login ran it.
ALTER ROLE claimdrift_migrator SET role = 'claimdrift_owner';

-- A request that hangs must not hold a connection, a lock or vacuum's horizon. The settings belong
-- to the login, so they also hold for the connections that PgBouncer opens as claimdrift_web; what
-- a client changes there with SET stays for the next client, so change them with SET LOCAL.
-- lock_timeout counts for advisory locks as well.
ALTER ROLE claimdrift_web SET statement_timeout = '30s';
ALTER ROLE claimdrift_web SET lock_timeout = '5s';
ALTER ROLE claimdrift_web SET idle_in_transaction_session_timeout = '60s';

COMMENT ON ROLE claimdrift_owner IS 'claimdrift: owns every object; nobody logs in as it';
COMMENT ON ROLE claimdrift_tenant IS 'claimdrift: what a customer''s request is done as';
COMMENT ON ROLE claimdrift_platform IS 'claimdrift: what work across customers is done as';
COMMENT ON ROLE claimdrift_web IS 'claimdrift: login of the API; becomes tenant or platform';
COMMENT ON ROLE claimdrift_worker IS 'claimdrift: login of the worker and of the commands';
COMMENT ON ROLE claimdrift_migrator IS 'claimdrift: login of migrations; becomes the owner';

COMMIT;
