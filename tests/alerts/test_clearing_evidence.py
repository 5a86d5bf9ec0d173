"""`alerts.clearing_evidence`: against the oracle on random portfolios, and by hand."""

import math
from datetime import timedelta
from typing import Any

import pytest

from tests.alerts.stories import CRITICAL, DAY, open_alert, week
from tests.drift import oracle
from tests.drift.worlds import AS_OF, World
from tests.portfolio import Portfolio


def evidence(portfolio: Portfolio, as_of: Any) -> dict[int, tuple[int, float]]:
    """Whole weeks and log odds of each live alert."""
    return {
        alert_id: (weeks, log_odds)
        for alert_id, weeks, log_odds in portfolio.worker.execute(
            "SELECT * FROM alerts.clearing_evidence(p_customer_id => %s, p_as_of => %s)",
            portfolio.customer_id,
            as_of,
        )
    }


def compare(portfolio: Portfolio, seed: int) -> None:
    world = World(seed)
    built = world.build(portfolio)
    live = [alert for alert in world.alerts if alert.episodes[-1].resolved is None]

    found = evidence(portfolio, AS_OF)

    assert set(found) == {built.alert_ids[alert.id] for alert in live}
    for alert in live:
        weeks, log_odds = found[built.alert_ids[alert.id]]
        assert weeks == (AS_OF - alert.episodes[-1].start).days // 7, seed
        expected = oracle.clearing_evidence(world.lines, alert, AS_OF)
        assert math.isclose(log_odds, expected, rel_tol=1e-9, abs_tol=1e-9), (seed, alert)


def test_random_portfolios_say_what_the_oracle_says(make_portfolio: Any) -> None:
    # Few worlds have a live alert.
    for seed in range(60):
        if any(alert.episodes[-1].resolved is None for alert in World(seed).alerts):
            compare(make_portfolio(), seed)


@pytest.mark.long
def test_many_random_portfolios_say_what_the_oracle_says(make_portfolio: Any) -> None:
    for seed in range(1000, 2000):
        compare(make_portfolio(), seed)


def test_a_normal_week_speaks_for_a_return(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    alert = portfolio.alert()
    pa = 0.1 + alert["opening_delta"] / 2
    normal_week = 7 * math.log(0.1 / pa) + 63 * math.log(0.9 / (1 - pa))

    for days in range(0, 30):
        [(weeks, log_odds)] = evidence(portfolio, DAY + timedelta(days)).values()
        assert weeks == days // 7
        assert log_odds == pytest.approx(weeks * normal_week, rel=1e-9)


def test_weeks_at_the_alerted_level_do_not_count_against_a_later_return(
    portfolio: Portfolio,
) -> None:
    open_alert(portfolio, CRITICAL, until=week(4))

    def at(number: int) -> float:
        return next(iter(evidence(portfolio, week(number)).values()))[1]

    assert [at(number) for number in range(5)] == [0] * 5
    assert at(6) == pytest.approx(2 * at(5), rel=1e-9)
    assert at(5) > 2


def test_an_alert_without_decisions_says_nothing(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.owner.execute(
        "DELETE FROM claim WHERE customer_id = %s AND first_decided_date >= %s",
        portfolio.customer_id,
        DAY,
    )

    assert list(evidence(portfolio, week(5)).values()) == [(5, 0.0)]


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.2), (1.0, 0.8)])
def test_a_normal_of_nothing_or_everything_clears_too(
    portfolio: Portfolio, before: float, after: float
) -> None:
    portfolio.edit_rule(portfolio.default_rule(), direction="any")
    portfolio.decide_steps(
        DAY - timedelta(300), [(DAY - timedelta(14), before), (DAY, after), (week(9), before)]
    )

    portfolio.detect_weekly(DAY, week(2))

    assert portfolio.kinds() == ["opened", "cleared"]
