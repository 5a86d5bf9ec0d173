"""`tenancy.find_customer`: the row, whatever its status."""

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

CALL = "SELECT slug, status FROM tenancy.find_customer(p_customer_id => %s)"


def test_a_suspended_customer_is_found_too(worker: Database, portfolio: Portfolio) -> None:
    worker.execute("UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id)

    assert worker.execute(CALL, portfolio.customer_id) == [(portfolio.slug, "suspended")]


def test_an_unknown_customer_is_refused(worker: Database) -> None:
    with refused("PD004", hint="Look the id up"):
        worker.execute(CALL, 0)
