"""AddNotValid and Validate: a CHECK or foreign key for new rows first, then for all."""

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, NotSupportedError, transaction
from django.db.models import CheckConstraint, Q, UniqueConstraint

from core.constraints import Reference
from core.online import AddNotValid, OnlineChangeError, Validate
from tests.conftest import Connect
from tests.database import Database
from tests.migrations.meanwhile import await_waiter, meanwhile
from tests.migrations.tables import Table

CONSTRAINTS: dict[str, CheckConstraint | Reference] = {
    "check": CheckConstraint(condition=~Q(number__contains="%"), name="rule"),
    "reference": Reference(
        name="rule", columns=["customer_id"], to="online_owner", to_columns=["id"]
    ),
}


@pytest.fixture(params=sorted(CONSTRAINTS))
def constraint(
    request: pytest.FixtureRequest, table: Table
) -> Iterator[CheckConstraint | Reference]:
    """Violated by customer 7 with number "7%"."""
    table.sql("CREATE TABLE online_owner (id bigint PRIMARY KEY)")
    table.sql("INSERT INTO online_owner VALUES (1)")
    yield CONSTRAINTS[request.param]
    table.sql("DROP TABLE online_owner CASCADE")


def test_new_rows_are_refused_and_old_ones_left_alone(
    table: Table, constraint: CheckConstraint | Reference
) -> None:
    table.insert("7%", customer_id=7)

    table.apply(AddNotValid("entry", constraint))

    assert table.in_state() == ["rule"]
    assert table.constraints()["rule"].endswith("NOT VALID")
    table.insert("1")
    with pytest.raises(IntegrityError):
        table.insert("7%", customer_id=7)


def test_both_can_be_run_again_and_back(
    table: Table, constraint: CheckConstraint | Reference
) -> None:
    add, validate = AddNotValid("entry", constraint), Validate("entry", "rule")
    table.apply(add)
    table.again(add)
    table.apply(validate)
    table.apply(validate)
    table.again(add)
    assert "NOT VALID" not in table.constraints()["rule"]

    after = table.state
    table.reverse(validate, after)
    for _ in range(2):
        table.state = after
        table.reverse(add)
    assert table.constraints() == {}
    assert table.in_state() == []


def test_old_rows_that_violate_it_are_said_to_without_their_values(
    table: Table, constraint: CheckConstraint | Reference
) -> None:
    table.insert("7%", customer_id=7)
    table.apply(AddNotValid("entry", constraint))

    with pytest.raises(OnlineChangeError) as raised:
        table.apply(Validate("entry", "rule"))

    assert f"Rows of {table.name} violate rule." in str(raised.value)
    assert "7" not in str(raised.value).replace(table.name, "")


def test_validating_waits_for_its_lock_and_nobody_for_it(
    table: Table, constraint: CheckConstraint | Reference, connect: Connect
) -> None:
    table.apply(AddNotValid("entry", constraint))
    first, other = (Database(connect("claimdrift_migrator")) for _ in range(2))
    first.execute(f"BEGIN; LOCK {table.name} IN SHARE UPDATE EXCLUSIVE MODE")
    table.sql("SET lock_timeout = '50ms'")

    with meanwhile(lambda: table.apply(Validate("entry", "rule"))):
        await_waiter(other, "relation")
        other.execute("SET lock_timeout = '1s'; SELECT pg_sleep(0.2)")
        other.execute(f"INSERT INTO {table.name} (customer_id, number) VALUES (1, 'a')")
        first.execute("COMMIT")

    assert table.sql("SHOW lock_timeout") == [("50ms",)]


def test_validating_refuses_a_transaction(
    table: Table, constraint: CheckConstraint | Reference
) -> None:
    table.apply(AddNotValid("entry", constraint))

    with transaction.atomic(), pytest.raises(NotSupportedError, match="atomic = False"):
        table.apply(Validate("entry", "rule"))


def test_another_kind_of_constraint_is_refused() -> None:
    with pytest.raises(TypeError, match="CheckConstraint or a Reference"):
        AddNotValid("entry", UniqueConstraint(fields=["number"], name="key"))  # type: ignore[arg-type]


def test_sqlmigrate_shows_them(table: Table, constraint: CheckConstraint | Reference) -> None:
    added = table.collected(AddNotValid("entry", constraint))

    assert added.endswith(" NOT VALID;")
    assert 'ADD CONSTRAINT "rule"' in added
    assert table.collected(Validate("entry", "rule")) == (
        f'ALTER TABLE "{table.name}" VALIDATE CONSTRAINT "rule";'
    )
