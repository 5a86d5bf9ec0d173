"""`alerts.clearing_evidence`: against the oracle on random portfolios, and by hand."""

import math
from datetime import timedelta
from typing import Any

import pytest

from tests.alerts.stories import CRITICAL, DAY, open_alert, week
from tests.drift import oracle
from tests.drift.former_alerts import insert
from tests.drift.oracle import Alert, Baseline, Episode, Stratum
from tests.drift.worlds import AS_OF, World, insert_alert
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
    # A silence is over with the first decision, without any odds.
    live = [
        alert
        for alert in world.alerts
        if alert.episodes[-1].resolved is None and alert.metric != "SILENCE"
    ]

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


# A payer as a whole


def insert_on_payer(portfolio: Portfolio, share_delta: float = 0.2) -> None:
    """An alert that opened on DAY, with 10 % of one group normal and 40 % of another."""
    alert = Alert(
        id=1,
        group=(portfolio.payer("Aetna"), None),
        metric="DENIAL_RATE",
        direction="up",
        window_start=DAY - timedelta(14),
        episodes=(Episode(DAY),),
        baseline=Baseline(
            DAY - timedelta(300),
            DAY - timedelta(200),
            (5,) * 40,
            4,
            strata=(
                Stratum(portfolio.group("99213"), 200, 20, 1.0),
                Stratum(portfolio.group("99214"), 50, 20, 2.5),
            ),
        ),
        share_delta=share_delta,
    )
    insert_alert(
        portfolio.owner, portfolio.customer_id, portfolio.default_rule(), alert.group, alert
    )


def log_odds_of(x: int, n: int, p0: float, pa: float, phi: float) -> float:
    return (x * math.log(p0 / pa) + (n - x) * math.log((1 - p0) / (1 - pa))) / phi


def test_of_a_payer_each_group_speaks_for_a_return_to_its_own_level(portfolio: Portfolio) -> None:
    insert_on_payer(portfolio)
    portfolio.decide(DAY, denied=2, paid=18)
    portfolio.decide(DAY + timedelta(6), denied=9, paid=11, group="99214")
    # Another payer's, one of a group that had no baseline, and of the second week.
    portfolio.decide(DAY, denied=50, payer="Cigna")
    portfolio.decide(DAY, denied=50, group="99215")
    portfolio.decide(week(1), denied=0, paid=10)

    first = log_odds_of(2, 20, 0.1, 0.2, 1.0) + log_odds_of(9, 20, 0.4, 0.5, 2.5)
    [(weeks, log_odds)] = evidence(portfolio, week(2) - timedelta(1)).values()
    assert weeks == 1
    assert log_odds == pytest.approx(first, rel=1e-12)
    [(weeks, log_odds)] = evidence(portfolio, week(2)).values()
    second = log_odds_of(0, 10, 0.1, 0.2, 1.0)
    assert weeks == 2
    assert log_odds == pytest.approx(first + second, rel=1e-12)


def test_of_a_payer_a_week_that_speaks_against_is_the_weeks_of_all_groups(
    portfolio: Portfolio,
) -> None:
    insert_on_payer(portfolio)
    # In the first week one group speaks for a return and the other more against it.
    portfolio.decide(DAY, denied=0, paid=10)
    portfolio.decide(DAY, denied=40, paid=0, group="99214")
    portfolio.decide(week(1), denied=0, paid=10)

    against = log_odds_of(0, 10, 0.1, 0.2, 1.0) + log_odds_of(40, 40, 0.4, 0.5, 2.5)
    assert against < 0
    assert [log_odds for _, log_odds in evidence(portfolio, week(1)).values()] == [0]
    [(_, log_odds)] = evidence(portfolio, week(2)).values()
    assert log_odds == pytest.approx(log_odds_of(0, 10, 0.1, 0.2, 1.0), rel=1e-12)


@pytest.mark.parametrize(("share_delta", "pa"), [(-0.6, 0.002), (1.9, 0.998)])
def test_of_a_payer_levels_stay_between_nothing_and_everything(
    portfolio: Portfolio, share_delta: float, pa: float
) -> None:
    insert_on_payer(portfolio, share_delta)
    portfolio.decide(DAY, denied=2, paid=18)

    [(_, log_odds)] = evidence(portfolio, week(1)).values()
    assert log_odds == pytest.approx(max(0, log_odds_of(2, 20, 0.1, pa, 1.0)), rel=1e-12)


def test_a_silence_has_no_odds(portfolio: Portfolio) -> None:
    insert(portfolio, (20, None), group=None, metric="SILENCE")

    assert evidence(portfolio, DAY) == {}
