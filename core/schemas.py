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


def grant_monitoring() -> RunSQL:
    """Let the API's login ask how things are going, for /metrics."""
    return RunSQL(
        sql="GRANT USAGE ON SCHEMA maintenance TO claimdrift_web",
        reverse_sql="REVOKE USAGE ON SCHEMA maintenance FROM claimdrift_web",
    )


def grant_administration() -> RunSQL:
    """Let superusers work in Django's admin, and /health/ready see which migrations ran.

    The admin's log is appended to, never changed. Sessions are cookies, so nobody needs their
    table.
    """
    grants = (
        ("SELECT", "django_migrations"),
        ("SELECT", "django_content_type"),
        ("SELECT", "auth_permission"),
        ("SELECT, INSERT", "django_admin_log"),
    )
    return RunSQL(
        sql=[f"GRANT {rights} ON {table} TO claimdrift_platform" for rights, table in grants],
        reverse_sql=[
            f"REVOKE {rights} ON {table} FROM claimdrift_platform" for rights, table in grants
        ],
    )


def index_failed_jobs() -> RunSQL:
    """procrastinate indexes the jobs that wait and run; maintenance.metrics counts failed ones."""
    return RunSQL(
        sql="CREATE INDEX claimdrift_failed_jobs_idx ON procrastinate_jobs (queue_name)"
        " WHERE status = 'failed'",
        reverse_sql="DROP INDEX claimdrift_failed_jobs_idx",
    )
