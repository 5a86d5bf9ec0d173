"""`tenancy.take_lock`: one lock for each customer and name, while the transaction lasts."""

import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

TAKE = "SELECT tenancy.take_lock(p_customer_id => %s, p_name => %s)"
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s"


def test_it_is_held_until_the_transaction_ends(portfolio: Portfolio, connect: Connect) -> None:
    holder = Database(connect())
    pid = holder.value("SELECT pg_backend_pid()")
    holder.execute("BEGIN")
    holder.execute(TAKE, portfolio.customer_id, "one")
    assert portfolio.owner.value(HELD, pid) == 1

    holder.execute("COMMIT")
    assert portfolio.owner.value(HELD, pid) == 0


def test_another_name_is_another_lock(portfolio: Portfolio, connect: Connect) -> None:
    holder, other = Database(connect()), Database(connect())
    holder.execute("BEGIN")
    holder.execute(TAKE, portfolio.customer_id, "one")
    other.execute("SET lock_timeout = '100ms'")

    other.execute(TAKE, portfolio.customer_id, "another")
    other.execute(TAKE, portfolio.customer_id + 1, "one")
    with refused("55P03"):
        other.execute(TAKE, portfolio.customer_id, "one")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_other_isolation_levels_are_refused(
    portfolio: Portfolio, connect: Connect, level: str
) -> None:
    session = Database(connect())
    session.execute(f"BEGIN ISOLATION LEVEL {level}")

    with refused("PD001", hint="READ COMMITTED"):
        session.execute(TAKE, portfolio.customer_id, "one")
