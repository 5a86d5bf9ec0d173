"""`alerts.reopen_returned`: drift that is back within the cooldown is the same alert."""

from datetime import date, timedelta

import pytest

from tests.alerts.stories import (
    CRITICAL,
    DAY,
    INFO,
    NORMAL,
    WARNING,
    open_alert,
    tell,
    tell_others,
    week,
)
from tests.portfolio import Portfolio


def clear(portfolio: Portfolio, spike_ends: int, rate: float = CRITICAL) -> date:
    """A spike of so many weeks that clears two weeks later, and then another, at `rate`."""
    cleared = week(spike_ends + 2)
    tell(portfolio, (week(spike_ends), CRITICAL), (cleared, NORMAL), (week(spike_ends + 9), rate))
    portfolio.detect_weekly(DAY, cleared)
    alert = portfolio.alert()
    assert (alert["status"], alert["resolved_as_of"]) == ("resolved", cleared)
    return cleared


def test_within_the_cooldown_the_same_alert_is_reopened_at_the_present_band(
    portfolio: Portfolio,
) -> None:
    clear(portfolio, 0, rate=0.32)
    first = portfolio.alert()

    portfolio.detect(week(3))

    alert = portfolio.alert()
    [event] = [e for e in portfolio.rows("drift_event") if e["current_end"] >= week(2)]
    assert (alert["status"], alert["version"], alert["previous_alert_id"]) == ("open", 3, None)
    assert (first["level"], alert["level"]) == ("critical", "warning")
    assert alert["peak_severity"] == event["severity"]
    assert (alert["opened_as_of"], alert["episode_as_of"]) == (DAY, week(3))
    assert alert["occurrences"] == first["occurrences"] + 1
    assert alert["baseline_end"] == event["baseline_end"] > first["baseline_end"]
    assert (alert["resolved_as_of"], alert["resolved_by"]) == (None, None)
    assert portfolio.kinds() == ["opened", "cleared", "reopened"]
    reopened = portfolio.rows("alert_transition")[-1]
    assert (reopened["from_status"], reopened["to_status"]) == ("resolved", "open")
    assert (reopened["level"], reopened["as_of"]) == ("warning", week(3))


@pytest.mark.parametrize(("hours", "reopened"), [(168, True), (167, False), (0, False)])
def test_the_cooldown_ends_with_its_last_hour(
    portfolio: Portfolio, hours: int, reopened: bool
) -> None:
    portfolio.settings(cooldown_hours=hours)
    clear(portfolio, 0)

    portfolio.detect(week(3))

    assert portfolio.kinds() == ["opened", "cleared", "reopened" if reopened else "opened"]
    assert len(portfolio.rows("alert")) == 2 - reopened


def test_a_long_episode_is_left_out_of_the_baseline_of_the_next(portfolio: Portfolio) -> None:
    tell_others(portfolio, week(19))
    back = clear(portfolio, 16) + timedelta(7)
    assert portfolio.measured(back)["drifted"]

    portfolio.detect(back)

    alert = portfolio.alert()
    assert alert["status"] == "open"
    # Its days would lift the normal from 10 to 17 %.
    assert alert["baseline_value"] == pytest.approx(0.1, abs=0.005)
    assert alert["baseline_end"] > alert["window_start"]
    assert alert["baseline_n"] < 1300


def test_under_a_disabled_rule_nothing_is_reopened(portfolio: Portfolio) -> None:
    clear(portfolio, 0)
    portfolio.edit_rule(portfolio.default_rule(), enabled=False)

    portfolio.detect_weekly(week(3), week(5))

    assert portfolio.kinds() == ["opened", "cleared"]


def test_what_a_user_resolved_reopens_only_when_it_grew(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO), (week(2), INFO), (week(4), WARNING))
    portfolio.settings(cooldown_hours=24 * 28)
    portfolio.detect(DAY)
    portfolio.resolve()

    portfolio.detect_weekly(week(1), week(2))
    assert portfolio.alert()["status"] == "resolved"
    portfolio.detect_weekly(week(3), week(4))

    assert portfolio.kinds() == ["opened", "resolved", "reopened"]
    assert portfolio.alert()["level"] == "warning"


def test_what_a_user_resolved_and_went_away_reopens_at_the_same_band(
    portfolio: Portfolio,
) -> None:
    portfolio.settings(cooldown_hours=24 * 40)
    tell(portfolio, (DAY, CRITICAL), (week(3), NORMAL), (week(6), CRITICAL))
    portfolio.detect(DAY)
    portfolio.resolve()

    portfolio.detect_weekly(week(1), week(2))
    assert portfolio.alert()["rearmed"] is True
    portfolio.detect_weekly(week(3), week(5))

    assert portfolio.kinds()[:3] == ["opened", "resolved", "reopened"]


def test_after_a_new_normal_drift_is_another_alert(portfolio: Portfolio) -> None:
    portfolio.settings(guard_days=14, baseline_days=28, min_volume=20, cooldown_hours=8760)
    tell(portfolio, (week(6), CRITICAL), (week(9), 0.6))
    portfolio.detect(DAY)
    portfolio.resolve(p_new_normal=True)

    portfolio.detect_weekly(week(1), week(8))

    former, new = portfolio.rows("alert")
    assert former["new_normal"] is True
    assert new["previous_alert_id"] == former["id"]
    assert new["baseline_value"] == pytest.approx(0.3, abs=0.02)
    assert portfolio.kinds()[:3] == ["opened", "resolved", "opened"]


def test_what_the_day_of_a_new_normal_still_finds_is_not_news(portfolio: Portfolio) -> None:
    open_alert(portfolio, until=week(4))
    portfolio.resolve(p_new_normal=True)
    # The day is measured anew, and still against the former level.
    portfolio.decide(DAY - timedelta(days=1), denied=3, paid=1)

    portfolio.detect(DAY)

    assert portfolio.alert()["new_normal"] is True
    assert portfolio.kinds() == ["opened", "resolved"]
