"""What happened can't be rewritten by any login at work; what the owner rewrites, it sees whole."""

from datetime import date, timedelta

import psycopg2.errors
import pytest

from core.context import ENTER
from tests.catalogue import rolled_back
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)
HISTORY = ("claim", "drift_event", "alert", "alert_transition", "audit_entry")


@pytest.fixture
def history(portfolio: Portfolio) -> Portfolio:
    """A customer with a row in each of these tables."""
    portfolio.decide_period(AS_OF - timedelta(300), AS_OF - timedelta(14), per_day=10, rate=0.1)
    portfolio.decide_period(AS_OF - timedelta(14), AS_OF, per_day=10, rate=0.4)
    portfolio.settings(min_volume=20)
    portfolio.detect(AS_OF)
    assert all(portfolio.rows(table) for table in HISTORY)
    return portfolio


@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize("statement", ["INSERT", "UPDATE", "DELETE", "TRUNCATE"])
@pytest.mark.parametrize("who", ["worker", "tenant"])
def test_history_is_only_read(
    connect: Connect, history: Portfolio, who: str, statement: str, table: str
) -> None:
    database = Database(connect("claimdrift_worker" if who == "worker" else "claimdrift_web"))
    database.execute("BEGIN")
    if who == "tenant":
        database.execute(ENTER, str(history.customer_id), "")
    assert database.value(
        f"SELECT count(*) FROM {table} WHERE customer_id = %s", history.customer_id
    )

    with pytest.raises(psycopg2.errors.InsufficientPrivilege) as error:
        database.execute(
            {
                "INSERT": f"INSERT INTO {table} (customer_id) VALUES (1)",
                "UPDATE": f"UPDATE {table} SET id = id",
                "DELETE": f"DELETE FROM {table}",
                "TRUNCATE": f"TRUNCATE {table}",
            }[statement]
        )
    assert error.value.pgcode == "42501"


@pytest.mark.parametrize("table", HISTORY)
def test_a_backfill_by_the_owner_reaches_every_customers_rows(
    owner: Database, worker: Database, connect: Connect, history: Portfolio, table: str
) -> None:
    other = Portfolio(owner, worker)
    other.decide(AS_OF, paid=3)
    ids = [history.customer_id, other.customer_id]
    # A superuser isn't subject to row-level security: this is how many there are.
    count = f"SELECT count(*), count(DISTINCT customer_id) FROM {table} WHERE customer_id = ANY(%s)"
    [(rows, customers)] = Database(connect("postgres")).execute(count, ids)

    with rolled_back(owner), owner.connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET id = id WHERE customer_id = ANY(%s)", [ids])

        assert cursor.rowcount == rows > 0
    assert owner.execute(count, ids) == [(rows, customers)]
    assert customers == (2 if table in ("claim", "audit_entry") else 1)
