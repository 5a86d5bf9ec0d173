"""`drift.fail_run`: a run that was asked for can't be carried out."""

from typing import Any

import pytest

from core import functions
from tests.conftest import Connect
from tests.database import Database
from tests.drift.requested import carry_out, request
from tests.portfolio import Portfolio
from tests.refusal import refused


def fail(portfolio: Portfolio, run_id: int, error: str = "Enough.") -> None:
    functions.drift_fail_run(customer_id=portfolio.customer_id, run_id=run_id, error=error)


@pytest.mark.parametrize("started", [False, True])
def test_it_ends_with_the_reason(portfolio: Portfolio, started: bool) -> None:
    run_id = request(portfolio)
    if started:
        functions.drift_start_run(customer_id=portfolio.customer_id, run_id=run_id)

    fail(portfolio, run_id)

    [run] = portfolio.rows("drift_run")
    assert (run["status"], run["error"], run["applied"]) == ("failed", "Enough.", False)
    assert run["finished_at"] is not None


def test_a_finished_one_is_left_alone(portfolio: Portfolio) -> None:
    completed = request(portfolio)
    carry_out(portfolio, completed)
    failed = request(portfolio)
    fail(portfolio, failed)
    before = portfolio.rows("drift_run")

    for run_id in (completed, failed):
        fail(portfolio, run_id, "Again.")

    assert portfolio.rows("drift_run") == before


def test_an_unknown_run_is_refused(
    portfolio: Portfolio, worker: Database, make_portfolio: Any
) -> None:
    for run_id in (2**40, request(make_portfolio())):
        with refused("PD016"):
            worker.execute("SELECT drift.fail_run(%s, %s, 'No.')", portfolio.customer_id, run_id)


def test_it_is_the_workers(portfolio: Portfolio, connect: Connect) -> None:
    web = Database(connect("claimdrift_web"))
    web.execute("SET ROLE claimdrift_tenant")
    with refused("42501"):
        web.execute("SELECT drift.fail_run(%s, 1, 'No.')", portfolio.customer_id)
