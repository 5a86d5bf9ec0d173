"""`alerts.settle`: what a run means for alerts whose group didn't drift."""

from datetime import timedelta

import pytest

from tests.alerts.stories import CRITICAL, DAY, NORMAL, SHIFT, START, open_alert, tell, week
from tests.portfolio import Portfolio


def test_it_clears_when_a_return_is_likely_enough(portfolio: Portfolio) -> None:
    open_alert(portfolio)

    portfolio.detect_weekly(week(1), week(3))

    alert = portfolio.alert()
    assert (alert["status"], alert["resolved_by"]) == ("resolved", "cleared")
    assert alert["resolved_as_of"] == week(2)
    cleared = portfolio.rows("alert_transition")[-1]
    assert (cleared["kind"], cleared["as_of"], cleared["version"]) == ("cleared", week(2), 2)
    assert (cleared["from_status"], cleared["to_status"]) == ("open", "resolved")
    assert cleared["actor_id"] is None
    assert cleared["at"] == alert["updated_at"]


def test_it_never_clears_within_14_days(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.settings(clear_odds=2)

    for days in range(1, 14):
        portfolio.detect(DAY + timedelta(days))
        assert portfolio.alert()["status"] == "open", days
    assert not portfolio.measured(DAY + timedelta(13))["drifted"]
    portfolio.detect(week(2))

    assert portfolio.alert()["status"] == "resolved"


def test_stricter_odds_ask_for_more_weeks(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    # Each normal week of 70 decisions makes the return about exp(2.6) = 13 times likelier.
    portfolio.settings(clear_odds=1_000_000)

    portfolio.detect_weekly(week(1), week(8))

    assert portfolio.alert()["resolved_as_of"] == week(6)


def test_an_acknowledged_alert_clears_too(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.acknowledge()

    portfolio.detect(week(2))

    assert portfolio.kinds() == ["opened", "acknowledged", "cleared"]
    assert portfolio.rows("alert_transition")[-1]["from_status"] == "acknowledged"


def test_under_a_disabled_rule_it_clears(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.edit_rule(portfolio.default_rule(), enabled=False)

    portfolio.detect(week(2))

    assert portfolio.kinds() == ["opened", "cleared"]


def test_insufficient_runs_neither_clear_nor_count(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (week(20), NORMAL), payer="Cigna")
    # 28 claims in 56 days: never 30 in any window, though all of them speak for a return.
    for days in range(0, 7 * 20, 2):
        portfolio.decide(DAY + timedelta(days), paid=1)
    portfolio.detect(DAY)

    # Until then the longer windows hold enough of what was alerted.
    portfolio.detect_weekly(week(8), week(20))

    alert = portfolio.alert()
    assert (alert["status"], alert["occurrences"]) == ("open", 1)
    assert alert["last_seen_as_of"] == DAY
    assert portfolio.kinds() == ["opened"]
    assert portfolio.measured(week(20))["sufficient"] is False


def test_a_payer_that_fell_silent_keeps_its_alert(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (week(60), NORMAL), payer="Cigna")
    portfolio.detect(DAY)

    portfolio.detect(week(60))

    assert portfolio.alert()["status"] == "open"
    measured = portfolio.measured(week(60))
    assert (measured["sufficient"], measured["current_n"]) == (False, 0)
    assert measured["frozen_alert_id"] == portfolio.alert()["id"]


def test_while_the_window_drifts_nothing_clears(portfolio: Portfolio) -> None:
    tell(portfolio, (week(30), CRITICAL))
    portfolio.settings(clear_odds=2)

    portfolio.detect_weekly(DAY, week(30))

    assert portfolio.alert()["status"] == "open"


def test_slower_decisions_open_stay_frozen_and_clear(portfolio: Portfolio) -> None:
    portfolio.decide_period(START, SHIFT, per_day=5, rate=0.1, days=8)
    portfolio.decide_period(START, SHIFT, per_day=5, rate=0.1, days=12)
    portfolio.decide_period(SHIFT, week(12), per_day=5, rate=0.1, days=18)
    portfolio.decide_period(SHIFT, week(12), per_day=5, rate=0.1, days=22)
    portfolio.decide_period(week(12), week(20), per_day=5, rate=0.1, days=8)
    portfolio.decide_period(week(12), week(20), per_day=5, rate=0.1, days=12)
    portfolio.detect(DAY)
    opened = portfolio.alert()

    assert (opened["metric"], opened["direction"]) == ("DECISION_DAYS", "up")
    assert (opened["baseline_value"], opened["opening_delta"]) == (10, 10)
    # Half of the baseline is slower than its median, and all of the current window.
    assert opened["baseline_x"] * 2 == opened["baseline_n"] == 1820
    assert opened["opening_share_delta"] == 0.5
    assert (opened["baseline_days"], opened["baseline_counts"]) == (
        [8, 12],
        [910, 910],
    )

    portfolio.detect_weekly(week(1), week(12))
    seen = portfolio.alert()
    assert (seen["status"], seen["occurrences"]) == ("open", 13)
    for column in ("baseline_value", "baseline_days", "baseline_counts", "opening_delta"):
        assert seen[column] == opened[column], column
    portfolio.detect_weekly(week(13), week(14))

    assert portfolio.kinds() == ["opened", "cleared"]


def test_what_a_user_resolved_is_armed_again_once_it_went_away(portfolio: Portfolio) -> None:
    tell(portfolio, (week(1), CRITICAL), (week(9), NORMAL))
    portfolio.detect(DAY)
    portfolio.resolve()

    portfolio.detect(week(1))
    assert portfolio.alert()["rearmed"] is False
    portfolio.detect(week(3))

    assert portfolio.alert()["rearmed"] is True
    assert portfolio.kinds() == ["opened", "resolved"]


def test_an_insufficient_run_arms_nothing(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (week(9), NORMAL), payer="Cigna")
    portfolio.detect(DAY)
    portfolio.resolve()

    # Not even the window of 56 days holds a decision any more.
    portfolio.detect(week(8))

    assert portfolio.measured(week(8))["sufficient"] is False
    assert portfolio.rows("alert")[0]["rearmed"] is False


@pytest.mark.parametrize(("until", "muted"), [("-1 second", False), ("1 day", True)])
def test_a_mute_ends_with_its_time(portfolio: Portfolio, until: str, muted: bool) -> None:
    open_alert(portfolio, until=week(1))
    portfolio.owner.execute(
        "UPDATE alert SET muted = true, muted_until = now() + %s::interval WHERE customer_id = %s",
        until,
        portfolio.customer_id,
    )

    portfolio.detect(week(1))

    assert portfolio.alert()["muted"] is muted
