"""`tenancy.active_customer`: the row, if work may be done for it."""

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

CALL = "SELECT slug FROM tenancy.active_customer(p_customer_id => %s)"


def test_it_is_the_customer(worker: Database, portfolio: Portfolio) -> None:
    assert worker.value(CALL, portfolio.customer_id) == portfolio.slug


def test_an_unknown_customer_is_refused(worker: Database) -> None:
    for customer_id in (0, None):
        with refused("PD004"):
            worker.execute(CALL, customer_id)


def test_a_suspended_customer_is_refused(worker: Database, portfolio: Portfolio) -> None:
    worker.execute("UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id)

    with refused("PD005"):
        worker.execute(CALL, portfolio.customer_id)
