"""Migration operations for what neither Django's models nor the files in `sql/` describe."""

from django.db.migrations import RunSQL


def create_schema(name: str) -> RunSQL:
    """A schema of stored logic, usable by the runtime roles."""
    return RunSQL(
        sql=[
            f"CREATE SCHEMA {name}",
            f"GRANT USAGE ON SCHEMA {name} TO claimdrift_tenant, claimdrift_platform",
        ],
        reverse_sql=f"DROP SCHEMA {name}",
    )


def grant_sign_in() -> RunSQL:
    """Let the API's login call what it is allowed to before it has become anybody."""
    return RunSQL(
        sql="GRANT USAGE ON SCHEMA tenancy TO claimdrift_web",
        reverse_sql="REVOKE USAGE ON SCHEMA tenancy FROM claimdrift_web",
    )


def grant_queue() -> RunSQL:
    """Let the worker use procrastinate's queue, whose tables and functions the owner has made.

    Needed again after an upgrade of procrastinate that adds tables or functions.
    """
    return RunSQL(
        sql="""
            DO $do$
            DECLARE
                v_name text;
            BEGIN
                FOR v_name IN
                    SELECT c.oid::regclass::text FROM pg_catalog.pg_class AS c
                    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                        AND c.relname LIKE 'procrastinate\\_%'
                LOOP
                    EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON ' || v_name
                        || ' TO claimdrift_platform';
                END LOOP;
                FOR v_name IN
                    SELECT c.oid::regclass::text FROM pg_catalog.pg_class AS c
                    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S'
                        AND c.relname LIKE 'procrastinate\\_%'
                LOOP
                    EXECUTE 'GRANT USAGE ON SEQUENCE ' || v_name || ' TO claimdrift_platform';
                END LOOP;
            END
            $do$
        """,
        reverse_sql="""
            DO $do$
            DECLARE
                v_name text;
            BEGIN
                FOR v_name IN
                    SELECT c.oid::regclass::text FROM pg_catalog.pg_class AS c
                    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S')
                        AND c.relname LIKE 'procrastinate\\_%'
                LOOP
                    EXECUTE 'REVOKE ALL ON ' || v_name || ' FROM claimdrift_platform';
                END LOOP;
            END
            $do$
        """,
    )
