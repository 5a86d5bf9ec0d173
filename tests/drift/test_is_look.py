"""`drift.is_look`: the days on which alerts open at the full false discovery rate."""

from datetime import date, timedelta

import pytest

from tests.alerts.stories import DAY, NORMAL, tell, week
from tests.conftest import Connect
from tests.portfolio import Portfolio, as_tenant


def is_look(portfolio: Portfolio, as_of: date) -> bool:
    value: bool = portfolio.worker.value(
        "SELECT drift.is_look(p_customer_id => %s, p_as_of => %s)", portfolio.customer_id, as_of
    )
    return value


@pytest.fixture
def looked(portfolio: Portfolio) -> Portfolio:
    """A customer to whom nothing happens, and who was first looked at on DAY."""
    tell(portfolio, (week(9), NORMAL))
    portfolio.detect(DAY)
    return portfolio


def looks(portfolio: Portfolio) -> list[bool]:
    return [run["is_look"] for run in portfolio.rows("drift_run")]


def test_the_first_run_is_a_look(portfolio: Portfolio) -> None:
    assert is_look(portfolio, DAY)
    tell(portfolio, (DAY, NORMAL))

    portfolio.detect(DAY)

    assert looks(portfolio) == [True]


def test_another_one_is_due_after_7_days(looked: Portfolio) -> None:
    assert [is_look(looked, DAY + timedelta(days)) for days in range(9)] == [
        *[True, *[False] * 6, True, True]
    ]

    for days in (6, 7, 8, 13, 14, 30, 36, 37):
        looked.detect(DAY + timedelta(days))

    assert looks(looked) == [True, False, True, False, False, True, True, False, True]


def test_run_daily_it_is_one_day_in_seven(looked: Portfolio) -> None:
    for days in range(1, 22):
        looked.detect(DAY + timedelta(days))

    assert [i for i, look in enumerate(looks(looked)) if look] == [0, 7, 14, 21]


def test_a_look_again_is_that_look(looked: Portfolio) -> None:
    looked.detect(DAY + timedelta(3))
    looked.detect(DAY + timedelta(3))
    looked.detect(week(1))
    looked.detect(week(1))

    assert looks(looked) == [True, False, False, True, True]
    # Also an older one; but days before and after it aren't.
    assert is_look(looked, DAY)
    assert not is_look(looked, DAY + timedelta(3))
    assert not is_look(looked, DAY - timedelta(30))


def test_a_run_that_applies_nothing_is_none(looked: Portfolio) -> None:
    # An older day, though one on which nobody had looked.
    looked.detect(DAY - timedelta(30))
    # A day so far ahead that nothing can be measured.
    looked.detect(DAY + timedelta(3000))

    assert looks(looked) == [True, False, False]
    assert not is_look(looked, DAY + timedelta(6))
    assert is_look(looked, week(1))


def test_a_customer_without_claims_has_not_been_looked_at(portfolio: Portfolio) -> None:
    portfolio.detect(DAY)
    tell(portfolio, (week(1), NORMAL))
    portfolio.detect(DAY + timedelta(1))

    assert looks(portfolio) == [False, True]


def test_other_customers_looks_are_no_matter(
    looked: Portfolio, make_portfolio: object, connect: Connect
) -> None:
    other = make_portfolio()  # type: ignore[operator]

    assert is_look(other, DAY + timedelta(3))
    with as_tenant(connect("claimdrift_web"), looked.customer_id) as tenant:
        assert not tenant.value(
            "SELECT drift.is_look(%s, %s)", looked.customer_id, DAY + timedelta(3)
        )


def test_measurements_say_whether_it_was_one(looked: Portfolio) -> None:
    looked.detect(DAY + timedelta(3))

    by_run = {run["id"]: run["is_look"] for run in looked.rows("drift_run")}
    rows = looked.rows("drift_measurement")
    assert {row["is_look"] for row in rows} == {True, False}
    assert all(row["is_look"] is by_run[row["run_id"]] for row in rows)
