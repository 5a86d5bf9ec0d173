"""DropUniqueConstraint: not before those have ended who may rely on it; and back in phases."""

import pytest
from django.db.migrations.operations import AddConstraint
from django.db.models import Q, UniqueConstraint

from core import online_waiting
from core.online import DropUniqueConstraint, OnlineChangeError
from tests.conftest import Connect
from tests.database import Database
from tests.migrations.meanwhile import meanwhile
from tests.migrations.tables import Table
from tests.refusal import refused


@pytest.fixture
def constrained(table: Table) -> Table:
    table.apply(AddConstraint("entry", table.key))
    return table


def test_it_goes_and_comes_back(constrained: Table) -> None:
    operation = DropUniqueConstraint("entry", constrained.key_name)
    before = constrained.state

    constrained.apply(operation)
    assert constrained.constraints() == {}
    assert constrained.in_state() == []

    constrained.reverse(operation, before)
    assert constrained.constraints() == {constrained.key_name: "UNIQUE (customer_id, number)"}
    assert constrained.in_state() == [constrained.key_name]


def test_both_ways_can_be_gone_twice(constrained: Table) -> None:
    operation = DropUniqueConstraint("entry", constrained.key_name)
    before = constrained.state
    for _ in range(2):
        constrained.state = before
        constrained.apply(operation)
    after = constrained.state
    for _ in range(2):
        constrained.state = after
        constrained.reverse(operation, before)

    assert constrained.constraints() == {constrained.key_name: "UNIQUE (customer_id, number)"}


def test_one_that_is_only_an_index_goes_and_comes_back(table: Table) -> None:
    key = UniqueConstraint(fields=["number"], condition=Q(amount__gt=5), name=table.key_name)
    table.apply(AddConstraint("entry", key))
    before = table.state

    table.apply(DropUniqueConstraint("entry", table.key_name))
    assert table.indexes() == {}

    table.reverse(DropUniqueConstraint("entry", table.key_name), before)
    assert table.indexes() == {table.key_name: True}


def test_a_transaction_that_may_be_inside_an_old_function_is_waited_for(
    constrained: Table, connect: Connect
) -> None:
    """The old function infers the constraint; nothing tells that it is about to."""
    old, other = Database(connect()), Database(connect())
    old.execute("BEGIN")
    old.execute("SELECT 1")
    infer = (
        f"INSERT INTO {constrained.name} (customer_id, number) VALUES (1, 'a')"
        " ON CONFLICT (customer_id, number) DO NOTHING"
    )

    with meanwhile(lambda: constrained.apply(DropUniqueConstraint("entry", constrained.key_name))):
        for _ in range(50):
            # Younger ones aren't waited for, and find it still there.
            other.execute("SELECT pg_sleep(0.01)")
        old.execute("SET LOCAL ROLE claimdrift_platform")
        constrained_for_all(connect, constrained)
        old.execute(infer)
        old.execute("COMMIT")

    assert constrained.constraints() == {}
    with refused("42P10"):
        old.execute(infer)


def constrained_for_all(connect: Connect, table: Table) -> None:
    Database(connect("claimdrift_migrator")).execute(
        f"GRANT ALL ON {table.name} TO claimdrift_platform;"
        f"GRANT USAGE ON SEQUENCE {table.name}_id_seq TO claimdrift_platform"
    )


def test_who_outlasts_the_wait_is_named_but_not_what_they_run(
    constrained: Table, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Database(connect())
    old.execute("SET application_name = 'nightly report'")
    old.execute("BEGIN; SELECT 'patient'")
    monkeypatch.setattr(online_waiting, "PATIENCE_SECONDS", 0.1)

    with pytest.raises(OnlineChangeError) as raised:
        constrained.apply(DropUniqueConstraint("entry", constrained.key_name))

    message = str(raised.value)
    assert f"process {old.value('SELECT pg_backend_pid()')} of claimdrift_worker" in message
    assert "(nightly report)" in message
    assert "patient" not in message
    assert list(constrained.constraints()) == [constrained.key_name]


def test_duplicates_that_came_meanwhile_block_the_way_back_and_say_so(constrained: Table) -> None:
    operation = DropUniqueConstraint("entry", constrained.key_name)
    before = constrained.state
    constrained.apply(operation)
    constrained.insert("a", "a")

    with pytest.raises(OnlineChangeError, match=r"1 keys .* in 1 rows too many"):
        constrained.reverse(operation, before)

    constrained.insert("a")
