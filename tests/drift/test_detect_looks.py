"""`drift.detect` between two looks: only what is ten times less likely opens an alert."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.alerts.stories import (
    CRITICAL,
    DAY,
    INFO,
    NORMAL,
    SHIFT,
    tell,
    tell_others,
    week,
)
from tests.drift.test_detect_again import detect_twice
from tests.portfolio import Portfolio

BEFORE = DAY - timedelta(1)


def events(portfolio: Portfolio, as_of: date) -> list[dict[str, Any]]:
    return [
        event
        for event in portfolio.rows("drift_event")
        if event["current_end"] == as_of - timedelta(1) and not event["withdrawn"]
    ]


def look_at(portfolio: Portfolio, *days: date) -> None:
    """Runs that are looks and find nothing."""
    for day in days:
        portfolio.detect(day)
        assert portfolio.rows("drift_run")[-1]["is_look"]
        assert portfolio.rows("drift_event") == []


def test_what_is_not_unlikely_enough_opens_at_the_next_look(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), INFO))
    look_at(portfolio, SHIFT, SHIFT + timedelta(7))

    portfolio.detect(BEFORE)

    [event] = events(portfolio, BEFORE)
    assert 0.005 < event["q_value"] <= 0.05
    assert event["may_open"] is False
    assert portfolio.rows("alert") == []
    portfolio.detect(DAY)
    [event] = events(portfolio, DAY)
    # No likelier than the day before.
    assert 0.005 < event["q_value"] <= 0.05
    assert event["may_open"] is True
    assert portfolio.kinds() == ["opened"]
    assert portfolio.alert()["opened_as_of"] == DAY


def test_what_is_unlikely_enough_opens_at_once(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), 0.4))
    tell_others(portfolio, week(2))
    look_at(portfolio, SHIFT)

    portfolio.detect(SHIFT + timedelta(6))

    [event] = events(portfolio, SHIFT + timedelta(6))
    assert event["q_value"] <= 0.005
    assert event["may_open"] is True
    assert portfolio.alert()["opened_as_of"] == SHIFT + timedelta(6)
    assert portfolio.rows("drift_run")[-1]["is_look"] is False


def test_a_tenth_is_a_tenth_of_the_customers_own_rate(portfolio: Portfolio) -> None:
    portfolio.settings(false_discovery_rate=0.4)
    tell(portfolio, (week(2), INFO))
    look_at(portfolio, SHIFT, SHIFT + timedelta(7))

    portfolio.detect(BEFORE)

    [event] = events(portfolio, BEFORE)
    assert 0.005 < event["q_value"] <= 0.04
    assert portfolio.rows("drift_run")[-1]["is_look"] is False
    assert portfolio.kinds() == ["opened"]


def test_it_reopens_between_looks_no_more_easily_than_it_opens(portfolio: Portfolio) -> None:
    portfolio.settings(cooldown_hours=24 * 60)
    tell(portfolio, (DAY, CRITICAL), (week(2), NORMAL), (week(6), INFO))
    portfolio.detect_weekly(DAY, week(3))
    assert portfolio.kinds() == ["opened", "cleared"]
    between = week(4) - timedelta(1)

    portfolio.detect(between)

    [event] = events(portfolio, between)
    assert 0.005 < event["q_value"] <= 0.05
    assert portfolio.kinds() == ["opened", "cleared"]
    portfolio.detect(week(4))
    assert portfolio.kinds() == ["opened", "cleared", "reopened"]


def test_between_looks_a_live_alert_is_seen_and_escalates(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO), (week(2), CRITICAL))
    portfolio.detect(DAY)

    portfolio.detect(DAY + timedelta(6))

    alert = portfolio.alert()
    assert (alert["occurrences"], alert["last_seen_as_of"]) == (2, DAY + timedelta(6))
    assert portfolio.rows("drift_run")[-1]["is_look"] is False
    assert portfolio.kinds() == ["opened", "escalated"]


def test_between_looks_an_alert_clears(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL), (week(4), NORMAL))
    portfolio.detect(DAY)
    portfolio.detect(DAY + timedelta(13))
    assert portfolio.kinds() == ["opened"]

    portfolio.detect(DAY + timedelta(15))

    assert portfolio.rows("drift_run")[-1]["is_look"] is False
    assert portfolio.kinds() == ["opened", "cleared"]


def test_a_day_between_looks_again_opens_nothing_more(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), INFO))
    look_at(portfolio, SHIFT, SHIFT + timedelta(7))

    detect_twice(portfolio, BEFORE)
    assert portfolio.rows("alert") == []
    detect_twice(portfolio, DAY)

    assert portfolio.kinds() == ["opened"]


def test_new_claims_make_a_look_of_before_open_what_it_could_not(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), NORMAL))
    tell_others(portfolio, week(2))
    portfolio.detect(DAY)
    portfolio.detect(DAY + timedelta(1))
    # Late, and no more than an ordinary look asks for.
    portfolio.decide(DAY - timedelta(3), denied=14)

    portfolio.detect(DAY)
    assert portfolio.rows("drift_run")[-1]["applied"] is False
    assert portfolio.rows("drift_event") == []
    portfolio.detect(DAY + timedelta(1))
    [event] = events(portfolio, DAY + timedelta(1))
    assert event["may_open"] is False
    portfolio.detect(week(1))

    assert portfolio.kinds() == ["opened"]


def test_the_simple_method_opens_on_any_day(portfolio: Portfolio) -> None:
    portfolio.settings(method="threshold")
    tell(portfolio, (week(2), INFO))
    look_at(portfolio, SHIFT, SHIFT + timedelta(7))

    portfolio.detect(BEFORE)

    [event] = events(portfolio, BEFORE)
    assert (event["may_open"], event["q_value"]) == (True, None)
    assert portfolio.kinds() == ["opened"]


@pytest.mark.parametrize("rate", [INFO, CRITICAL])
def test_run_daily_an_alert_is_the_same_as_run_weekly_and_no_later(
    portfolio: Portfolio, make_portfolio: Any, rate: float
) -> None:
    weekly, daily = portfolio, make_portfolio()
    for other in (weekly, daily):
        tell(other, (week(5), rate), (week(12), NORMAL))
        tell_others(other, week(12))

    for days in range((SHIFT - DAY).days, 7 * 12 + 1):
        daily.detect(DAY + timedelta(days))
    weekly.detect_weekly(SHIFT, week(12))

    assert sum(run["is_look"] for run in daily.rows("drift_run")) == len(weekly.rows("drift_run"))
    assert weekly.kinds() == daily.kinds()
    # Found within its first days, it escalates once they fill the window.
    assert weekly.kinds() == ["opened", *["escalated"] * (rate == CRITICAL), "cleared"]
    assert daily.alert()["opened_as_of"] <= weekly.alert()["opened_as_of"]
    assert daily.alert()["resolved_as_of"] <= weekly.alert()["resolved_as_of"]
    assert daily.alert()["occurrences"] > 5 * weekly.alert()["occurrences"]
