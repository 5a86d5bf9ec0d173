"""`drift.start_run`: everybody sees that a run goes on."""

from typing import Any

from core import functions
from tests.database import Database
from tests.drift.requested import carry_out, request, statuses
from tests.portfolio import Portfolio
from tests.refusal import refused

START = "SELECT drift.start_run(%s, %s)"


def start(portfolio: Portfolio, run_id: int) -> bool:
    return functions.drift_start_run(customer_id=portfolio.customer_id, run_id=run_id)


def test_a_queued_run_starts_now(portfolio: Portfolio) -> None:
    run_id = request(portfolio)

    assert start(portfolio, run_id) is True
    [run] = portfolio.rows("drift_run")
    assert (run["status"], run["finished_at"]) == ("running", None)
    assert run["started_at"] >= run["requested_at"]


def test_one_that_was_started_goes_on_as_it_was(portfolio: Portfolio) -> None:
    run_id = request(portfolio)
    start(portfolio, run_id)
    before = portfolio.rows("drift_run")

    assert start(portfolio, run_id) is True
    assert portfolio.rows("drift_run") == before


def test_a_finished_one_does_not_start(portfolio: Portfolio) -> None:
    completed = request(portfolio)
    carry_out(portfolio, completed)
    failed = request(portfolio)
    functions.drift_fail_run(customer_id=portfolio.customer_id, run_id=failed, error="Enough.")
    before = portfolio.rows("drift_run")

    assert [start(portfolio, run_id) for run_id in (completed, failed)] == [False, False]
    assert portfolio.rows("drift_run") == before


def test_it_does_not_wait_for_another_run(portfolio: Portfolio, worker: Database) -> None:
    run_id = request(portfolio)
    portfolio.owner.execute("BEGIN")
    portfolio.owner.execute("SELECT drift.lock_customer(%s)", portfolio.customer_id)
    worker.execute("SET lock_timeout = '1ms'")

    assert worker.value(START, portfolio.customer_id, run_id) is True

    worker.execute("RESET lock_timeout")
    portfolio.owner.execute("COMMIT")
    assert statuses(portfolio) == ["running"]


def test_an_unknown_run_is_refused(
    portfolio: Portfolio, worker: Database, make_portfolio: Any
) -> None:
    for run_id in (2**40, request(make_portfolio())):
        with refused("PD016"):
            worker.execute(START, portfolio.customer_id, run_id)
