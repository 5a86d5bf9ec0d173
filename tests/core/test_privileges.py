"""Nobody may do more than they must: rules for the catalogue, and attempts that are refused."""

import psycopg2.errors
import pytest

from tests.catalogue import (
    LOGINS,
    OUR_FUNCTIONS,
    WRITTEN_BY_FUNCTIONS,
    Rule,
    each,
    each_breach,
    function,
    new_violations,
)
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

RULES = [
    Rule(
        "everything belongs to claimdrift_owner",
        r"""
        SELECT 'schema', nspname, nspowner::regrole FROM pg_namespace
        WHERE nspname IN ({schemas}) AND nspowner <> 'claimdrift_owner'::regrole
        UNION ALL
        SELECT 'relation', relname, relowner::regrole FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relowner <> 'claimdrift_owner'::regrole
        UNION ALL
        SELECT 'function', f.oid::regprocedure::text, proowner::regrole FROM pg_proc AS f
        JOIN pg_namespace AS n ON n.oid = f.pronamespace
        WHERE n.nspname IN ('public', {schemas}) AND proowner <> 'claimdrift_owner'::regrole
        """,
        ("SET LOCAL ROLE claimdrift_migrator; CREATE TABLE public.t ()",),
    ),
    Rule(
        "no function may be called by everybody",
        OUR_FUNCTIONS
        + """
        SELECT name FROM our, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl
        WHERE acl.grantee = 0
        """,
        (function("stats.f()"),),
    ),
    Rule(
        "the logins may call no function but through a role, to sign in or for metrics",
        OUR_FUNCTIONS
        + """
        SELECT name FROM our, aclexplode(proacl) AS acl
        WHERE acl.grantee::regrole::text NOT IN
            ('claimdrift_owner', 'claimdrift_tenant', 'claimdrift_platform')
            AND (acl.grantee::regrole::text, proname) NOT IN (
                ('claimdrift_web', 'authenticate'),
                ('claimdrift_web', 'count_login'),
                ('claimdrift_web', 'forgive_login'),
                ('claimdrift_web', 'metrics')
            )
        """,
        (
            "GRANT EXECUTE ON FUNCTION tenancy.authorize TO claimdrift_web",
            "GRANT EXECUTE ON FUNCTION tenancy.authenticate TO claimdrift_worker",
        ),
    ),
    Rule(
        "everybody may do nothing",
        """
        SELECT relname, acl.privilege_type FROM pg_class, aclexplode(relacl) AS acl
        WHERE relnamespace = 'public'::regnamespace AND acl.grantee = 0
        """,
        ("GRANT SELECT ON claim TO PUBLIC",),
    ),
    Rule(
        "the logins have no table rights of their own",
        """
        SELECT relname, acl.grantee::regrole FROM pg_class, aclexplode(relacl) AS acl
        WHERE relnamespace = 'public'::regnamespace AND acl.grantee::regrole::text NOT IN
            ('claimdrift_owner', 'claimdrift_tenant', 'claimdrift_platform')
        UNION ALL
        SELECT relname, 'claimdrift_web'::regrole FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
            AND has_any_column_privilege(
                'claimdrift_web', oid, 'SELECT, INSERT, UPDATE, REFERENCES')
        """,
        ("GRANT SELECT ON claim TO claimdrift_web", "GRANT SELECT (id) ON claim TO claimdrift_web"),
    ),
    Rule(
        "stored results are written by functions alone",
        """
        SELECT role, c.relname, privilege FROM pg_class AS c
        CROSS JOIN unnest(ARRAY[{runtime_roles}]) AS role
        CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS privilege
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ({written_by_functions})
            AND (
                has_table_privilege(role, c.oid, privilege)
                OR privilege IN ('INSERT', 'UPDATE')
                AND has_any_column_privilege(role, c.oid, privilege)
            )
        """,
        (
            "GRANT INSERT ON claim TO claimdrift_tenant",
            "GRANT UPDATE (status) ON alert TO claimdrift_platform",
            "GRANT DELETE ON drift_event TO claimdrift_worker",
        ),
    ),
    Rule(
        "append-only tables are never changed",
        """
        SELECT role, c.relname, privilege FROM pg_class AS c
        CROSS JOIN unnest(ARRAY[{runtime_roles}]) AS role
        CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS privilege
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ({append_only})
            AND (
                has_table_privilege(role, c.oid, privilege)
                OR privilege = 'UPDATE' AND has_any_column_privilege(role, c.oid, privilege)
            )
        """,
        (
            "GRANT UPDATE (note) ON alert_transition TO claimdrift_platform",
            "GRANT DELETE ON audit_entry TO claimdrift_tenant",
        ),
    ),
    Rule(
        "the runtime roles create, truncate and attach nothing",
        """
        SELECT role, n.nspname FROM pg_namespace AS n
        CROSS JOIN unnest(ARRAY[{runtime_roles}]) AS role
        WHERE n.nspname IN ('public', {schemas}) AND has_schema_privilege(role, n.oid, 'CREATE')
        UNION ALL
        SELECT role, c.relname FROM pg_class AS c
        CROSS JOIN unnest(ARRAY[{runtime_roles}]) AS role
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
            AND has_table_privilege(role, c.oid, 'TRUNCATE, TRIGGER, REFERENCES, MAINTAIN')
        """,
        (
            "GRANT CREATE ON SCHEMA drift TO claimdrift_platform",
            "GRANT TRUNCATE ON payer TO claimdrift_tenant",
        ),
    ),
]


@each(RULES)
def test_the_database_obeys(owner: Database, rule: Rule) -> None:
    assert rule.violations(owner) == []


@each_breach(RULES)
def test_a_breach_is_noticed(owner: Database, rule: Rule, statement: str) -> None:
    assert new_violations(owner, rule, statement)


@pytest.mark.parametrize("login", LOGINS)
def test_no_runtime_login_becomes_the_owner(connect: Connect, login: str) -> None:
    database = Database(connect(login))
    powers = "rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication"

    assert database.value(f"SELECT {powers} FROM pg_roles WHERE rolname = session_user") is False
    for role in ("claimdrift_owner", "claimdrift_migrator", "postgres"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            database.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            database.execute(f"SET SESSION AUTHORIZATION {role}")


def test_the_web_login_reads_nothing_as_itself(connect: Connect) -> None:
    web = Database(connect("claimdrift_web"))

    for statement in ("SELECT FROM claim", "SELECT FROM customer", 'SELECT FROM "user"'):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            web.execute(statement)


@pytest.mark.parametrize("table_name", WRITTEN_BY_FUNCTIONS)
@pytest.mark.parametrize("role", ["claimdrift_tenant", "claimdrift_platform"])
def test_stored_results_refuse_direct_writes(
    connect: Connect, portfolio: Portfolio, role: str, table_name: str
) -> None:
    web = Database(connect("claimdrift_web"))
    web.execute(f"SET ROLE {role}")
    web.execute("SELECT set_config('app.customer_id', %s, false)", str(portfolio.customer_id))

    for statement in (
        f"INSERT INTO {table_name} (customer_id) VALUES ({portfolio.customer_id})",
        f"UPDATE {table_name} SET customer_id = customer_id",
        f"DELETE FROM {table_name}",
        f"TRUNCATE {table_name}",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            web.execute(statement)


def test_no_setting_switches_triggers_off(connect: Connect, portfolio: Portfolio) -> None:
    worker = Database(connect("claimdrift_worker"))
    for value in ("{*}", "{all}", "{core.Customer:create_defaults,core.DriftSettings}", "t"):
        worker.execute("SELECT set_config('pgtrigger.ignore', %s, false)", value)
        customer_id = worker.value(
            "INSERT INTO customer (name, slug) VALUES ('Ignoring', %s || '-' || md5(%s))"
            " RETURNING id",
            portfolio.slug,
            value,
        )
        worker.execute(
            "UPDATE drift_settings SET min_volume = 31 WHERE customer_id = %s", customer_id
        )

        assert worker.execute(
            "SELECT table_name, operation, count(*) FROM audit_entry WHERE customer_id = %s"
            " GROUP BY table_name, operation ORDER BY table_name, operation",
            customer_id,
        ) == [
            ("alert_rule", "insert", 1),
            ("drift_settings", "insert", 1),
            ("drift_settings", "update", 1),
        ]


def test_only_a_superuser_can_silence_triggers(connect: Connect) -> None:
    for login in LOGINS:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            Database(connect(login)).execute("SET session_replication_role = 'replica'")
