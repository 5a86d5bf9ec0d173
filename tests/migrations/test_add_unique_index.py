"""AddUniqueIndex: a unique index in nobody's way, over whatever is there already."""

import pytest
from django.db import NotSupportedError, transaction
from django.db.models import Q, UniqueConstraint
from django.db.models.functions import Lower

from core.online import AddUniqueIndex, OnlineChangeError
from tests.conftest import Connect
from tests.database import Database
from tests.migrations.meanwhile import await_waiter, meanwhile
from tests.migrations.tables import Table
from tests.refusal import refused


def test_it_refuses_duplicates_from_then_on(table: Table, connect: Connect) -> None:
    table.insert("a", "b")

    table.apply(AddUniqueIndex("entry", table.key))

    assert table.indexes() == {table.key_name: True}
    with refused("23505"):
        Database(connect("claimdrift_migrator")).execute(
            f"INSERT INTO {table.name} (customer_id, number) VALUES (1, 'a')"
        )


def test_for_a_plain_key_the_constraint_is_still_to_come(table: Table) -> None:
    table.apply(AddUniqueIndex("entry", table.key))

    assert table.in_state() == []
    assert table.constraints() == {}


def kinds(table: Table) -> list[UniqueConstraint]:
    name = table.key_name
    return [
        UniqueConstraint(fields=["number"], condition=Q(amount__gt=5), name=name),
        UniqueConstraint("customer_id", Lower("number"), name=name),
        UniqueConstraint(fields=["number"], include=["amount"], name=name),
        UniqueConstraint(fields=["number"], opclasses=["varchar_pattern_ops"], name=name),
        UniqueConstraint(
            "number", condition=Q(number__contains="%"), nulls_distinct=False, name=name
        ),
    ]


@pytest.mark.parametrize("kind", range(5))
def test_where_postgresql_knows_no_constraint_this_is_the_end(table: Table, kind: int) -> None:
    operation = AddUniqueIndex("entry", kinds(table)[kind])

    table.apply(operation)
    assert table.in_state() == [table.key_name]
    assert table.indexes() == {table.key_name: True}
    table.again(operation)
    table.reverse(operation)

    assert table.in_state() == []
    assert table.indexes() == {}


def test_one_that_is_there_is_kept(table: Table) -> None:
    table.apply(AddUniqueIndex("entry", table.key))
    [before] = table.sql("SELECT %s::regclass::oid", table.key_name)

    table.again(AddUniqueIndex("entry", table.key))

    assert table.sql("SELECT %s::regclass::oid", table.key_name) == [before]


def test_an_invalid_one_is_built_anew(table: Table) -> None:
    table.break_index()

    table.apply(AddUniqueIndex("entry", table.key))

    assert table.indexes() == {table.key_name: True}


@pytest.mark.parametrize(
    "other",
    [
        "CREATE UNIQUE INDEX {name} ON {table} (customer_id)",
        "CREATE UNIQUE INDEX {name} ON {table} (number, customer_id)",
        "CREATE INDEX {name} ON {table} (customer_id, number)",
        "CREATE UNIQUE INDEX {name} ON {table} (customer_id, number) WHERE amount > 5",
        "CREATE UNIQUE INDEX {name} ON {table} (customer_id, number) NULLS NOT DISTINCT",
        "CREATE UNIQUE INDEX {name} ON {table}_note (id)",
    ],
)
def test_another_index_of_that_name_is_refused(table: Table, other: str) -> None:
    table.sql(other.format(name=table.key_name, table=table.name))

    with pytest.raises(OnlineChangeError, match="There is an index"):
        table.apply(AddUniqueIndex("entry", table.key))


def test_duplicates_are_counted_and_leave_nothing_behind(table: Table) -> None:
    table.insert("secret-1", "secret-1", "secret-1", "secret-2", "secret-2", "once")
    table.insert("once", customer_id=2)

    with pytest.raises(OnlineChangeError) as raised:
        table.apply(AddUniqueIndex("entry", table.key))

    message = str(raised.value)
    assert "2 keys (customer_id, number) are there more than once, in 3 rows too many" in message
    assert "secret" not in message
    assert table.indexes() == {}
    table.insert("once")


def test_rows_without_a_key_are_no_duplicates_unless_the_constraint_says_so(table: Table) -> None:
    table.insert("a", "b")
    distinct = UniqueConstraint(fields=["amount"], name=table.key_name)
    table.apply(AddUniqueIndex("entry", distinct))
    table.reverse(AddUniqueIndex("entry", distinct))

    with pytest.raises(OnlineChangeError, match="1 rows too many"):
        table.apply(
            AddUniqueIndex(
                "entry",
                UniqueConstraint(fields=["amount"], nulls_distinct=False, name=table.key_name),
            )
        )


def test_backwards_it_goes_even_with_what_a_killed_phase_3_left(table: Table) -> None:
    table.apply(AddUniqueIndex("entry", table.key))
    table.sql(
        f"ALTER TABLE {table.name}"
        f" ADD CONSTRAINT {table.key_name} UNIQUE USING INDEX {table.key_name}"
    )
    table.sql(f"CREATE UNIQUE INDEX {table.key_name}_twin ON {table.name} (customer_id, number)")

    table.reverse(AddUniqueIndex("entry", table.key))
    table.reverse(AddUniqueIndex("entry", table.key))

    assert table.indexes() == {}


def test_writers_and_readers_are_not_in_its_way(table: Table, connect: Connect) -> None:
    """It waits for a transaction that has written, while others write and read."""
    first, other = (Database(connect("claimdrift_migrator")) for _ in range(2))
    add = f"INSERT INTO {table.name} (customer_id, number) VALUES (1, %s)"
    first.execute("BEGIN")
    first.execute(add, "a")

    with meanwhile(lambda: table.apply(AddUniqueIndex("entry", table.key))):
        await_waiter(other)
        other.execute("SET lock_timeout = '1s'")
        other.execute(add, "b")
        assert other.value(f"SELECT count(*) FROM {table.name}") == 1
        first.execute("COMMIT")

    assert table.indexes() == {table.key_name: True}
    other.execute(add, "c")


def test_it_refuses_to_run_in_a_transaction(table: Table) -> None:
    with transaction.atomic(), pytest.raises(NotSupportedError, match="atomic = False"):
        table.apply(AddUniqueIndex("entry", table.key))


def test_sqlmigrate_shows_it(table: Table) -> None:
    assert table.collected(AddUniqueIndex("entry", table.key)) == (
        f'CREATE UNIQUE INDEX CONCURRENTLY "{table.key_name}"'
        f' ON "{table.name}" ("customer_id", "number");'
    )
