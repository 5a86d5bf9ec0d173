"""Functions and tables obey the house rules (and each rule notices a breach).

Privileges have a file of their own: test_privileges.py.
"""

import psycopg2.errors
import pytest

from tests.catalogue import (
    AUTHORIZE,
    DEFINER,
    OUR_FUNCTIONS,
    TENANT_TABLES,
    Rule,
    each,
    each_breach,
    function,
    new_violations,
    rolled_back,
    table,
)
from tests.database import Database

# Any call within the expression's tree, subselects included.
CALLED = r":(?:funcid|opfuncid|winfnoid|aggfnoid) (\d+)"

RULES = [
    # Functions
    # Functions
    Rule(
        "each function has a comment",
        OUR_FUNCTIONS + "SELECT name FROM our WHERE coalesce(obj_description(oid), '') = ''",
        (function("stats.mute()"),),
    ),
    Rule(
        "there is one function for each name",
        OUR_FUNCTIONS
        + "SELECT nspname, proname FROM our GROUP BY nspname, proname HAVING count(*) > 1",
        (function("tenancy.authorize(p_customer_id int)"),),
    ),
    Rule(
        "parameters are named p_...",
        OUR_FUNCTIONS
        + r"""
        SELECT name, coalesce(proargnames[i], '(unnamed)')
        FROM our, generate_series(1, array_length(
            coalesce(proallargtypes, proargtypes::oid[]), 1)) AS i
        WHERE coalesce(proargmodes[i], 'i') IN ('i', 'b', 'v')
            AND coalesce(proargnames[i], '') NOT LIKE 'p\_%'
        """,
        (function("stats.f(p_a int, x int)"), function("stats.f(int)")),
    ),
    Rule(
        "p_customer_id comes first",
        OUR_FUNCTIONS
        + "SELECT name FROM our WHERE array_position(proargnames, 'p_customer_id') > 1",
        (function("drift.f(p_a int, p_customer_id bigint)"),),
    ),
    Rule(
        "SECURITY DEFINER pins a search_path from pg_catalog to pg_temp",
        OUR_FUNCTIONS
        + r"""
        SELECT name, proconfig FROM our
        WHERE prosecdef AND NOT EXISTS (
            SELECT FROM unnest(proconfig) AS setting
            WHERE setting ~ '^search_path=pg_catalog, (.*, )?pg_temp$'
        )
        """,
        (
            function("drift.f()", attributes="SECURITY DEFINER"),
            function("drift.f()", attributes="SECURITY DEFINER SET search_path = public, pg_temp"),
            function("drift.f()", attributes="SECURITY DEFINER SET search_path = pg_catalog"),
        ),
    ),
    Rule(
        "SECURITY DEFINER with p_customer_id authorizes first of all",
        OUR_FUNCTIONS
        + r"""
        SELECT name FROM our
        WHERE prosecdef AND 'p_customer_id' = ANY(proargnames)
            AND substring(prosrc FROM '\mBEGIN\M.*') !~
                '^BEGIN\s+(--[^\n]*\n\s*)*PERFORM\s+tenancy\.authorize\s*\('
        """,
        (
            function("drift.f(p_customer_id bigint)", attributes=DEFINER),
            function(
                "drift.f(p_customer_id bigint)",
                attributes=DEFINER,
                body=f"DELETE FROM public.claim; {AUTHORIZE}",
            ),
        ),
    ),
    Rule(
        "no function, trigger functions included, asks pgtrigger.ignore",
        r"""
        SELECT oid::regprocedure FROM pg_proc
        WHERE proname LIKE '%pgtrigger\_should\_ignore%' OR prosrc LIKE '%pgtrigger.ignore%'
        """,
        (
            function("public._pgtrigger_should_ignore()"),
            function("public.f()", body="PERFORM current_setting('pgtrigger.ignore');"),
        ),
    ),
    Rule(
        "trigger functions pin their search_path",
        """
        SELECT t.tgname, f.oid::regprocedure FROM pg_trigger AS t
        JOIN pg_proc AS f ON f.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND f.proname NOT LIKE 'procrastinate%'
            AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY(f.proconfig), false)
        """,
        (
            "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END';"
            " CREATE TRIGGER t AFTER INSERT ON claim EXECUTE FUNCTION public.f()",
        ),
    ),
    # Tables
    Rule(
        "a table without customer_id is one of the global ones",
        TENANT_TABLES
        + r"""
        SELECT relname FROM pg_class AS c
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
            AND oid NOT IN (SELECT oid FROM tenant) AND relname NOT IN ({global_tables})
            AND relname !~ '^(django|auth|procrastinate)_'
        """,
        ("CREATE TABLE loose ()", "CREATE VIEW loose AS SELECT * FROM claim"),
    ),
    Rule(
        "row-level security is on, for the owner too",
        TENANT_TABLES
        + "SELECT name FROM tenant WHERE NOT (relrowsecurity AND relforcerowsecurity)",
        (
            "CREATE TABLE bare (customer_id bigint)",
            "ALTER TABLE claim NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE alert DISABLE ROW LEVEL SECURITY",
        ),
    ),
    Rule(
        "there is exactly one policy for each role, for reads and writes",
        TENANT_TABLES
        + """
        SELECT name, policies FROM tenant
        CROSS JOIN LATERAL (
            SELECT array_agg(concat_ws(' ', polname, polcmd, polpermissive,
                (SELECT string_agg(r::regrole::text, ',') FROM unnest(polroles) AS r),
                regexp_replace(pg_get_expr(polqual, polrelid), '\\s+', ' ', 'g'),
                regexp_replace(pg_get_expr(polwithcheck, polrelid), '\\s+', ' ', 'g')
            ) ORDER BY polname) AS policies
            FROM pg_policy WHERE polrelid = tenant.oid
        ) AS p
        WHERE policies IS DISTINCT FROM ARRAY[
            'owner_all * t claimdrift_owner true true',
            'platform_all * t claimdrift_platform true true',
            'tenant_isolation * t claimdrift_tenant'
            ' (customer_id = ( SELECT tenancy.current_customer_id() AS current_customer_id))'
            ' (customer_id = ( SELECT tenancy.current_customer_id() AS current_customer_id))'
        ]
        """,
        (
            table("t", access=False),
            "DROP POLICY owner_all ON claim",
            "CREATE POLICY more ON claim TO claimdrift_tenant USING (true)",
            "ALTER POLICY tenant_isolation ON claim USING (true)",
            "ALTER POLICY tenant_isolation ON claim TO public",
        ),
    ),
    Rule(
        "no policy calls a volatile function",
        f"""
        SELECT polrelid::regclass, polname, f.oid::regprocedure FROM pg_policy
        CROSS JOIN LATERAL regexp_matches(
            concat(polqual::text, polwithcheck::text), '{CALLED}', 'g') AS called
        JOIN pg_proc AS f ON f.oid = called[1]::oid
        WHERE f.provolatile = 'v'
        """,
        (
            "ALTER POLICY owner_all ON claim USING (random() < 2)",
            "ALTER FUNCTION tenancy.current_customer_id VOLATILE",
        ),
    ),
    Rule(
        "(customer_id, id) is unique, so that others can refer to it",
        TENANT_TABLES
        + """
        SELECT name FROM tenant WHERE NOT EXISTS (
            SELECT FROM pg_constraint AS c
            WHERE c.conrelid = tenant.oid AND c.contype = 'u'
                AND pg_get_constraintdef(c.oid) = 'UNIQUE (customer_id, id)'
        )
        """,
        ("CREATE TABLE t (customer_id bigint, id bigint)",),
    ),
    Rule(
        "every unique key but the primary one starts with customer_id",
        TENANT_TABLES
        + """
        SELECT name, i.indexrelid::regclass FROM tenant
        JOIN pg_index AS i ON i.indrelid = tenant.oid AND i.indisunique AND NOT i.indisprimary
        WHERE pg_get_indexdef(i.indexrelid, 1, false) <> 'customer_id'
            -- Who asks by a token's digest doesn't know the customer yet.
            AND i.indexrelid::regclass::text <> 'api_token_digest_key'
        """,
        (
            "CREATE UNIQUE INDEX ON claim (id, customer_id)",
            table("t", ", a int UNIQUE"),
        ),
    ),
    Rule(
        "id is a bigint identity, and the primary key",
        TENANT_TABLES
        + """
        SELECT name FROM tenant WHERE NOT EXISTS (
            SELECT FROM pg_attribute AS a JOIN pg_index AS i ON i.indrelid = a.attrelid
            WHERE a.attrelid = tenant.oid AND a.attname = 'id' AND a.attidentity <> ''
                AND a.atttypid = 'bigint'::regtype
                AND i.indisprimary AND i.indkey::text = a.attnum::text
        )
        """,
        ("CREATE TABLE t (customer_id bigint, id bigserial PRIMARY KEY)",),
    ),
    Rule(
        "references between tenant tables start with customer_id",
        TENANT_TABLES
        + """
        SELECT c.conrelid::regclass, c.conname FROM pg_constraint AS c
        JOIN tenant AS a ON a.oid = c.conrelid
        JOIN tenant AS b ON b.oid = c.confrelid
        WHERE c.contype = 'f' AND pg_get_constraintdef(c.oid) !~
            '^FOREIGN KEY \\(customer_id, \\w+\\) REFERENCES \\w+\\(customer_id, id\\)$'
        """,
        (
            "ALTER TABLE alert ADD FOREIGN KEY (payer_id) REFERENCES payer (id)",
            "ALTER TABLE alert ADD FOREIGN KEY (rule_id, customer_id)"
            " REFERENCES alert_rule (id, customer_id)",
        ),
    ),
    Rule(
        "every column that names a tenant's row has a reference",
        TENANT_TABLES
        + r"""
        SELECT name, a.attname FROM tenant
        JOIN pg_attribute AS a ON a.attrelid = tenant.oid AND a.attnum > 0 AND NOT attisdropped
        WHERE a.attname LIKE '%\_id'
            AND (name, a.attname) NOT IN (
                ('claim', 'customer_id'),  -- implied by the payer's, see docs/decisions
                ('claim', 'upload_id'),  -- one check less for each line that is loaded
                ('upload', 'uploaded_by_id'),
                ('audit_entry', 'row_id'),  -- of any table, and of rows that are gone
                ('audit_entry', 'actor_id'),
                ('drift_measurement', 'frozen_alert_id'),
                ('webhook_delivery', 'job_id'),  -- procrastinate's, who may delete it
                ('webhook_event', 'message_id'),
                ('webhook_secret', 'key_id')
            )
            AND NOT EXISTS (
                SELECT FROM pg_constraint AS c
                WHERE c.conrelid = tenant.oid AND c.contype = 'f' AND a.attnum = ANY(c.conkey)
                    AND (a.attname <> 'customer_id' OR cardinality(c.conkey) = 1)
            )
        """,
        (table("t", ", payer_id bigint"),),
    ),
    Rule(
        "no reference is emptied by a delete",
        """
        SELECT conrelid::regclass, conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype = 'f'
            AND confdeltype IN ('n', 'd') AND conrelid::regclass::text NOT LIKE 'procrastinate%'
        """,
        (
            "ALTER TABLE alert ADD FOREIGN KEY (customer_id, payer_id)"
            " REFERENCES payer (customer_id, id) ON DELETE SET NULL",
        ),
    ),
]


@each(RULES)
def test_the_database_obeys(owner: Database, rule: Rule) -> None:
    assert rule.violations(owner) == []


@each_breach(RULES)
def test_a_breach_is_noticed(owner: Database, rule: Rule, statement: str) -> None:
    assert new_violations(owner, rule, statement)


def test_a_faultless_table_and_function_pass(owner: Database) -> None:
    with rolled_back(owner):
        owner.execute(table("faultless"))
        owner.execute(
            function("drift.faultless(p_customer_id bigint)", attributes=DEFINER, body=AUTHORIZE)
            + "COMMENT ON FUNCTION drift.faultless IS 'Does nothing.';"
            " REVOKE ALL ON FUNCTION drift.faultless FROM PUBLIC;"
        )
        found = [violation for rule in RULES for violation in rule.violations(owner)]

    assert [violation for violation in found if "faultless" in violation] == []


def test_bodies_are_checked_for_shadowed_variables(owner: Database) -> None:
    assert owner.value("SHOW plpgsql.extra_errors") == "all"
    with rolled_back(owner), pytest.raises(psycopg2.errors.DuplicateAlias):
        owner.execute(
            "CREATE FUNCTION stats.f(p_a int) RETURNS int LANGUAGE plpgsql"
            " AS $f$ DECLARE p_a int; BEGIN RETURN p_a; END $f$"
        )
