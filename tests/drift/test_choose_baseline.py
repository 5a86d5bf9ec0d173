"""`drift.choose_baseline`: which days are the baseline, by how much history there is."""

from datetime import date, timedelta

import pytest

from tests.alerts.stories import DAY
from tests.portfolio import Portfolio


def choose(portfolio: Portfolio, as_of: date = DAY) -> tuple[int | None, int | None, int | None]:
    """Days of history, and the ages of the first and last day of the baseline."""
    [(history, start, end)] = portfolio.worker.execute(
        "SELECT * FROM drift.choose_baseline(p_customer_id => %s, p_as_of => %s)",
        portfolio.customer_id,
        as_of,
    )
    return history, start and (as_of - start).days, end and (as_of - end).days


@pytest.mark.parametrize(
    ("history", "oldest", "newest"),
    [
        (1000, 238, 57),
        (238, 238, 57),
        (237, 140, 29),
        (140, 140, 29),
        (139, 98, 15),
        (98, 98, 15),
        (97, 70, 15),
        (70, 70, 15),
        (69, None, None),
        (0, None, None),
        (-1, None, None),
    ],
)
def test_the_shorter_the_history_the_shorter_the_baseline(
    portfolio: Portfolio, history: int, oldest: int | None, newest: int | None
) -> None:
    portfolio.decide(DAY - timedelta(history), paid=1)
    portfolio.decide(DAY + timedelta(9), paid=1)

    assert choose(portfolio) == (history, oldest, newest)


@pytest.mark.parametrize(
    ("history", "oldest", "newest"), [(400, 400, 31), (399, 140, 29), (42, None, None)]
)
def test_the_customers_own_windows_come_first(
    portfolio: Portfolio, history: int, oldest: int | None, newest: int | None
) -> None:
    portfolio.settings(baseline_days=370, guard_days=30)
    portfolio.decide(DAY - timedelta(history), paid=1)

    assert choose(portfolio) == (history, oldest, newest)


def test_short_windows_need_no_more_than_they_are_long(portfolio: Portfolio) -> None:
    portfolio.settings(baseline_days=28, guard_days=14)
    portfolio.decide(DAY - timedelta(42), paid=1)

    assert choose(portfolio) == (42, 42, 15)
    assert choose(portfolio, DAY - timedelta(1)) == (41, None, None)


def test_without_decisions_there_is_none(portfolio: Portfolio) -> None:
    assert choose(portfolio) == (None, None, None)
