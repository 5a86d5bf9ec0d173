"""Every function of the database is what its file in `sql/` says, and has such a file."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.catalogue import SCHEMAS, rolled_back
from tests.database import Database

FILES = {
    f"{file.parent.name}.{file.stem}": file for file in sorted(settings.SQL_DIR.glob("*/*.sql"))
}
ATTRIBUTES = [
    r"RETURNS\b",
    r"LANGUAGE (sql|plpgsql)$",
    r"(IMMUTABLE|STABLE|VOLATILE)$",
    r"STRICT$",
    r"PARALLEL (SAFE|RESTRICTED)$",
    r"(COST|ROWS) \d+$",
    r"SECURITY DEFINER$",
    r"SET \w+",
]


def state(database: Database, name: str) -> dict[str, Any]:
    """Definition, comment and privileges of one function."""
    return database.one(
        """
        SELECT
            pg_get_functiondef(oid) AS definition,
            obj_description(oid) AS comment,
            (
                SELECT array_agg(acl::text ORDER BY acl::text)
                FROM unnest(coalesce(proacl, acldefault('f', proowner))) AS acl
            ) AS privileges
        FROM pg_proc WHERE oid = %s::regproc
        """,
        name,
    )


def state_by_file(database: Database, name: str, file: Path) -> dict[str, Any]:
    """The same after its comment and privileges were forgotten and its file executed."""
    with rolled_back(database):
        database.execute(
            """
            DO $do$
            DECLARE
                v_name CONSTANT text := '{name}'::regproc::regprocedure;
                v_grantee regrole;
            BEGIN
                EXECUTE format('COMMENT ON FUNCTION %s IS NULL', v_name);
                FOR v_grantee IN
                    SELECT acl.grantee FROM pg_proc, aclexplode(proacl) AS acl
                    WHERE pg_proc.oid = '{name}'::regproc
                        AND acl.grantee NOT IN (0, pg_proc.proowner)
                LOOP
                    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', v_name, v_grantee);
                END LOOP;
                EXECUTE format('GRANT ALL ON FUNCTION %s TO PUBLIC', v_name);
            END
            $do$
            """.replace("{name}", name)
        )
        database.execute(file.read_text(encoding="utf-8"))
        return state(database, name)


def test_functions_and_files_are_the_same(owner: Database) -> None:
    functions = owner.execute(
        "SELECT pronamespace::regnamespace::text || '.' || proname FROM pg_proc"
        " WHERE pronamespace::regnamespace::text = ANY(%s)",
        SCHEMAS,
    )

    assert sorted(name for (name,) in functions) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_function_equals_its_file(owner: Database, name: str) -> None:
    assert state(owner, name) == state_by_file(owner, name, FILES[name])


@pytest.mark.parametrize(
    "change",
    [
        "ALTER FUNCTION tenancy.local_date VOLATILE",
        "ALTER FUNCTION tenancy.local_date SET work_mem = '1GB'",
        "COMMENT ON FUNCTION tenancy.local_date IS 'Something else.'",
        "GRANT EXECUTE ON FUNCTION tenancy.local_date TO claimdrift_web",
        "GRANT EXECUTE ON FUNCTION tenancy.local_date TO PUBLIC",
        "REVOKE EXECUTE ON FUNCTION tenancy.local_date FROM claimdrift_tenant",
        "CREATE OR REPLACE FUNCTION tenancy.local_date(p_customer_id bigint, p_at timestamptz)"
        " RETURNS date LANGUAGE sql STABLE AS 'SELECT NULL::date'",
    ],
)
def test_a_difference_is_noticed(owner: Database, change: str) -> None:
    name = "tenancy.local_date"
    expected = state_by_file(owner, name, FILES[name])
    with rolled_back(owner):
        owner.execute(change)
        assert state(owner, name) != expected


def head(file: Path) -> list[str]:
    """The lines from RETURNS to the body, without comments."""
    text = file.read_text(encoding="utf-8")
    match = re.search(r"^(RETURNS.*?)^(?:AS \$function\$|RETURN|BEGIN ATOMIC)", text, re.S | re.M)
    assert match, f"{file} has no RETURNS before its body"
    return [
        line.split(" --")[0].strip()
        for line in match[1].splitlines()
        if not line.startswith((" ", ")", "--"))
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_whole_and_in_order(name: str) -> None:
    text = FILES[name].read_text(encoding="utf-8")
    order = [
        next((i for i, pattern in enumerate(ATTRIBUTES) if re.match(pattern, line)), None)
        for line in head(FILES[name])
    ]

    assert None not in order, f"unknown attribute in {head(FILES[name])}"
    assert order == sorted(order, key=lambda index: index or 0)
    assert {0, 1, 2} <= set(order), "RETURNS, LANGUAGE and volatility are always written"
    called = re.escape(name)
    assert re.match(rf"(--.*\n)*CREATE OR REPLACE FUNCTION {called}\(", text)
    assert len(re.findall(r"^CREATE ", text, re.M)) == 1
    assert re.search(rf"^COMMENT ON FUNCTION {called}\(", text, re.M)
    assert re.search(rf"^REVOKE ALL ON FUNCTION {called}\([^)]*\)\s+FROM (?i:PUBLIC);", text, re.M)


@pytest.mark.parametrize("name", FILES)
def test_a_definer_says_why(name: str) -> None:
    text = FILES[name].read_text(encoding="utf-8")
    if re.search(r"^SECURITY DEFINER$", text, re.M):
        assert re.search(r"^-- DEFINER: (.*\n)(-- .*\n)*SECURITY DEFINER$", text, re.M)


@pytest.mark.parametrize("name", FILES)
def test_nothing_swallows_every_error(name: str) -> None:
    assert "WHEN OTHERS" not in FILES[name].read_text(encoding="utf-8").upper()
