"""Runs that were asked for, and the job that carries them out."""

from datetime import date, timedelta

from core import functions, tasks
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)


def drifting(portfolio: Portfolio) -> Portfolio:
    """Claims of a payer that denies far more in the last two weeks."""
    portfolio.decide_period(AS_OF - timedelta(300), AS_OF - timedelta(14), per_day=10, rate=0.1)
    portfolio.decide_period(AS_OF - timedelta(14), AS_OF, per_day=20, rate=0.5)
    return portfolio


def request(portfolio: Portfolio, as_of: date = AS_OF) -> int:
    """Ask for a run; its id."""
    return functions.drift_request_run(customer_id=portfolio.customer_id, as_of=as_of)


def carry_out(portfolio: Portfolio, run_id: int) -> None:
    """Run its job."""
    tasks.run_requested(customer_id=portfolio.customer_id, run_id=run_id)


def statuses(portfolio: Portfolio) -> list[str]:
    """The status of each run, in their order."""
    return [run["status"] for run in portfolio.rows("drift_run")]
