"""AttachUniqueIndex: the index becomes a constraint, and back without a moment of duplicates."""

from typing import Any

import pytest
from django.db import connections
from django.db.models import Deferrable, UniqueConstraint
from django.db.models.functions import Lower

from core.online import AddUniqueIndex, AttachUniqueIndex, OnlineChangeError
from core.online_catalogue import with_suffix
from tests.conftest import Connect
from tests.database import Database
from tests.migrations.meanwhile import await_waiter, meanwhile
from tests.migrations.tables import Table
from tests.refusal import refused

UNIQUE = "UNIQUE (customer_id, number)"


@pytest.fixture
def indexed(table: Table) -> Table:
    table.apply(AddUniqueIndex("entry", table.key))
    return table


def test_database_and_state_have_the_constraint(indexed: Table) -> None:
    operation = AttachUniqueIndex("entry", indexed.key)

    indexed.apply(operation)

    assert indexed.constraints() == {indexed.key_name: UNIQUE}
    assert indexed.in_state() == [indexed.key_name]


def test_again_it_changes_nothing(indexed: Table) -> None:
    operation = AttachUniqueIndex("entry", indexed.key)
    indexed.apply(operation)

    indexed.again(operation)

    assert indexed.constraints() == {indexed.key_name: UNIQUE}


@pytest.mark.parametrize("invalid", [False, True])
def test_without_a_valid_index_it_is_refused(table: Table, invalid: bool) -> None:
    if invalid:
        table.break_index()

    with pytest.raises(OnlineChangeError, match="AddUniqueIndex comes first"):
        table.apply(AttachUniqueIndex("entry", table.key))


def test_what_is_only_an_index_is_refused_when_the_migration_is_read() -> None:
    with pytest.raises(TypeError, match="AddUniqueIndex is all"):
        AttachUniqueIndex("entry", UniqueConstraint(Lower("number"), name="key"))


@pytest.mark.parametrize(
    ("options", "definition"),
    [
        ({"deferrable": Deferrable.DEFERRED}, f"{UNIQUE} DEFERRABLE INITIALLY DEFERRED"),
        ({"nulls_distinct": False}, "UNIQUE NULLS NOT DISTINCT (customer_id, number)"),
    ],
)
def test_options_of_the_constraint_are_kept(
    table: Table, options: dict[str, Any], definition: str
) -> None:
    key = UniqueConstraint(fields=["customer_id", "number"], name=table.key_name, **options)
    table.apply(AddUniqueIndex("entry", key))
    table.apply(AttachUniqueIndex("entry", key))
    assert table.constraints() == {table.key_name: definition}

    table.reverse(AttachUniqueIndex("entry", key))

    assert table.constraints() == {}
    assert table.indexes() == {table.key_name: True}


def test_backwards_there_is_a_unique_index_at_every_moment(
    indexed: Table, connect: Connect
) -> None:
    operation = AttachUniqueIndex("entry", indexed.key)
    indexed.apply(operation)
    writer, other = Database(connect("claimdrift_migrator")), Database(connect())
    add = f"INSERT INTO {indexed.name} (customer_id, number) VALUES (1, %s)"
    writer.execute(add, "a")
    writer.execute("BEGIN")
    writer.execute(add, "b")

    with meanwhile(lambda: indexed.reverse(operation)):
        # It waits for the writer before it builds the other index.
        await_waiter(other)
        with refused("23505"):
            indexed_writer(connect).execute(add, "a")
        writer.execute("COMMIT")

    assert indexed.constraints() == {}
    assert indexed.indexes() == {indexed.key_name: True}
    assert indexed.in_state() == []
    with refused("23505"):
        writer.execute(add, "a")


def indexed_writer(connect: Connect) -> Database:
    return Database(connect("claimdrift_migrator"))


@pytest.mark.parametrize("invalid", [False, True])
def test_backwards_over_the_twin_that_a_kill_left(indexed: Table, invalid: bool) -> None:
    operation = AttachUniqueIndex("entry", indexed.key)
    indexed.apply(operation)
    twin = with_suffix(indexed.key_name, "twin")
    columns = "id" if invalid else "customer_id, number"
    indexed.sql(f"CREATE UNIQUE INDEX {twin} ON {indexed.name} ({columns})")
    if invalid:
        spoil(twin)

    indexed.reverse(operation)
    indexed.reverse(operation, before=indexed.state)

    assert indexed.indexes() == {indexed.key_name: True}
    assert indexed.constraints() == {}


def spoil(index: str) -> None:
    """Mark it INVALID, as only a superuser can."""
    import psycopg2

    from tests.conftest import SERVER

    name = connections["default"].settings_dict["NAME"]
    with psycopg2.connect(SERVER.url("postgres", str(name))) as superuser:
        superuser.cursor().execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (index,)
        )
    superuser.close()


def test_forwards_over_the_twin_that_a_killed_reverse_left(indexed: Table) -> None:
    operation = AttachUniqueIndex("entry", indexed.key)
    indexed.apply(operation)
    twin = with_suffix(indexed.key_name, "twin")
    indexed.sql(f"CREATE UNIQUE INDEX {twin} ON {indexed.name} (customer_id, number)")

    indexed.again(operation)

    assert indexed.indexes() == {indexed.key_name: True}
    assert indexed.constraints() == {indexed.key_name: UNIQUE}


def test_a_twin_of_a_long_name_fits_and_is_nobody_elses() -> None:
    names = {with_suffix("x" * 60 + end, "twin") for end in ("a", "b")}

    assert len(names) == 2
    assert all(len(name) <= 63 and name.endswith("_twin") for name in names)


def test_sqlmigrate_shows_it(table: Table) -> None:
    name = table.key_name
    assert table.collected(AttachUniqueIndex("entry", table.key)) == (
        f'ALTER TABLE "{table.name}" ADD CONSTRAINT "{name}" UNIQUE USING INDEX "{name}";'
    )
