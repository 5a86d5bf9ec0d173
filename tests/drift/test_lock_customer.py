"""`drift.lock_customer`: one lock per customer, held until the transaction ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg2.errors import LockNotAvailable

from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

LOCK = "SELECT drift.lock_customer(p_customer_id => %s)"


@contextmanager
def transaction(connect: Connect, level: str = "READ COMMITTED") -> Iterator[Database]:
    connection = connect()
    connection.set_session(isolation_level=level, autocommit=False)
    yield Database(connection)
    connection.rollback()


def test_a_second_transaction_waits_and_another_customer_does_not(
    portfolio: Portfolio, connect: Connect
) -> None:
    with transaction(connect) as first, transaction(connect) as second:
        first.execute(LOCK, portfolio.customer_id)
        first.execute(LOCK, portfolio.customer_id)
        second.execute("SET LOCAL lock_timeout = '50ms'")
        second.execute(LOCK, portfolio.customer_id + 1)
        with pytest.raises(LockNotAvailable):
            second.execute(LOCK, portfolio.customer_id)
        second.connection.rollback()
        first.connection.rollback()
        second.execute("SET LOCAL lock_timeout = '50ms'")
        second.execute(LOCK, portfolio.customer_id)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_other_isolation_levels_are_refused(
    portfolio: Portfolio, connect: Connect, level: str
) -> None:
    with transaction(connect, level) as database, refused("PD001", "READ COMMITTED"):
        database.execute(LOCK, portfolio.customer_id)


def test_no_customer_is_refused(worker: Database) -> None:
    with refused("PD004"):
        worker.execute(LOCK, None)
