"""`drift.detect` and silence: a payer that stops deciding is an alert, until it decides again."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.alerts.stories import DAY, NORMAL, SHIFT, START, week
from tests.drift.test_detect_again import detect_twice, repeat
from tests.portfolio import Portfolio


def decide(portfolio: Portfolio, payer: str, *spans: tuple[date, date], per_day: int = 5) -> None:
    """A payer that decides in these spans only."""
    for start, end in spans:
        portfolio.decide_period(start, end, per_day=per_day, rate=NORMAL, payer=payer)


@pytest.fixture
def silent(portfolio: Portfolio) -> Portfolio:
    """Aetna decided every day until SHIFT, and nothing since; Cigna goes on."""
    decide(portfolio, "Aetna", (START, SHIFT))
    decide(portfolio, "Cigna", (START, week(60)))
    return portfolio


def silence(portfolio: Portfolio, as_of: date, payer: str = "Aetna") -> dict[str, Any] | None:
    rows = [
        row
        for row in portfolio.measure(as_of)
        if (row["payer_id"], row["metric"]) == (portfolio.payer(payer), "SILENCE")
    ]
    assert all(row["cpt_group_id"] is None for row in rows)
    return rows[0] if rows else None


def test_a_payer_that_stops_is_one_alert_that_escalates(silent: Portfolio) -> None:
    silent.detect_weekly(week(-2), week(20))

    alert = silent.alert()
    assert (alert["payer_id"], alert["cpt_group_id"]) == (silent.payer("Aetna"), None)
    assert (alert["metric"], alert["direction"], alert["status"]) == ("SILENCE", "up", "open")
    assert (alert["opened_as_of"], alert["opening_delta"]) == (DAY, 14)
    assert (alert["occurrences"], alert["peak_severity"]) == (21, 1)
    assert [
        (row["kind"], row["level"], row["as_of"]) for row in silent.rows("alert_transition")
    ] == [
        ("opened", "warning", DAY),
        ("escalated", "critical", week(1)),
    ]
    events = [e for e in silent.rows("drift_event") if e["metric"] == "SILENCE"]
    assert [event["severity"] for event in events[:3]] == pytest.approx([14 / 28, 21 / 28, 1])
    assert [event["current_value"] for event in events] == [14 + 7 * n for n in range(21)]
    for event in events:
        assert (event["current_n"], event["baseline_value"]) == (0, 0)
        for column in ("p_value", "q_value", "z", "dispersion", "confidence", "ci_low", "strata"):
            assert event[column] is None, column


def test_it_opens_on_the_first_day_on_which_the_window_is_empty(silent: Portfolio) -> None:
    silent.detect(week(-2))
    for days in range(1, 14):
        silent.detect(week(-2) + timedelta(days))
        assert [a for a in silent.rows("alert") if a["metric"] == "SILENCE"] == [], days

    # A look or not.
    silent.detect(DAY - timedelta(14))
    silent.detect(DAY)

    assert silent.alert()["opened_as_of"] == DAY


def test_between_looks_it_opens_as_well(silent: Portfolio) -> None:
    silent.detect(DAY - timedelta(3))

    detect_twice(silent, DAY)

    assert [run["is_look"] for run in silent.rows("drift_run")] == [True, False, False]
    assert silent.kinds() == ["opened"]


def test_the_first_decisions_clear_it_at_once(silent: Portfolio) -> None:
    silent.detect_weekly(DAY, week(1))
    silent.decide(week(1), paid=1, group="another")
    silent.detect(week(1))
    assert silent.alert()["status"] == "open"

    detect_twice(silent, week(1) + timedelta(1))

    alert = silent.alert()
    assert (alert["status"], alert["resolved_by"]) == ("resolved", "cleared")
    assert alert["resolved_as_of"] == week(1) + timedelta(1)
    assert silent.kinds() == ["opened", "escalated", "cleared"]


def test_not_when_everybody_is_silent(portfolio: Portfolio) -> None:
    for payer in ("Aetna", "Cigna"):
        decide(portfolio, payer, (START, SHIFT))

    portfolio.detect_weekly(DAY, week(3))

    assert portfolio.rows("drift_event") == []
    row = silence(portfolio, DAY)
    assert row is not None
    assert (row["sufficient"], row["drifted"]) == (False, False)


def test_not_of_a_customer_with_one_payer(portfolio: Portfolio) -> None:
    decide(portfolio, "Aetna", (START, SHIFT))

    portfolio.detect_weekly(DAY, week(3))

    assert portfolio.rows("alert") == []


def test_others_that_decide_are_enough_though_they_are_small(portfolio: Portfolio) -> None:
    decide(portfolio, "Aetna", (START, SHIFT))
    portfolio.decide(DAY - timedelta(1), paid=1, payer="Tiny")

    portfolio.detect(DAY)

    assert portfolio.alert()["metric"] == "SILENCE"
    # Nobody expects anything of that one.
    assert silence(portfolio, DAY, "Tiny") is None


def test_a_payer_that_paused_as_long_before_is_not_silent_yet(portfolio: Portfolio) -> None:
    pause = DAY - timedelta(120)
    decide(portfolio, "Aetna", (START, pause), (pause + timedelta(20), SHIFT))
    decide(portfolio, "Cigna", (START, week(4)))

    for days in range(7):
        portfolio.detect(DAY + timedelta(days))
        row = silence(portfolio, DAY + timedelta(days))
        assert row is not None
        assert (row["baseline_value"], row["current_value"]) == (20, 14 + days)
        assert (row["sufficient"], row["drifted"]) == (True, False)
    assert portfolio.rows("alert") == []
    portfolio.detect(week(1))

    alert = portfolio.alert()
    assert (alert["baseline_value"], alert["opening_delta"]) == (20, 1)
    assert alert["level"] == "info"


@pytest.mark.parametrize(("lines", "expected"), [(390, True), (389, False)])
def test_it_takes_the_minimum_volume_in_an_average_fortnight(
    portfolio: Portfolio, lines: int, expected: bool
) -> None:
    # 182 days are 13 fortnights, of 30 lines each.
    decide(portfolio, "Cigna", (START, DAY))
    portfolio.decide(DAY - timedelta(238), paid=lines - 200)
    portfolio.decide(DAY - timedelta(150), paid=100)
    portfolio.decide(DAY - timedelta(57), paid=100)

    assert (silence(portfolio, DAY) is not None) is expected


def test_all_groups_of_a_payer_together_make_its_volume(portfolio: Portfolio) -> None:
    decide(portfolio, "Cigna", (START, DAY))
    for group in range(5):
        portfolio.decide_period(START, SHIFT, per_day=1, rate=NORMAL, group=f"small {group}")

    portfolio.detect(DAY)

    assert portfolio.alert()["metric"] == "SILENCE"


def test_silent_again_within_the_cooldown_it_is_reopened(portfolio: Portfolio) -> None:
    portfolio.settings(cooldown_hours=24 * 30)
    decide(portfolio, "Aetna", (START, SHIFT), (week(1), week(1) + timedelta(2)))
    decide(portfolio, "Cigna", (START, week(9)))

    for weeks in range(5):
        detect_twice(portfolio, week(weeks))

    assert portfolio.kinds() == ["opened", "escalated", "cleared", "reopened"]
    alert = portfolio.alert()
    # It decided for the last time the day after week(1): a fresh count.
    assert (alert["episode_as_of"], alert["opening_delta"]) == (week(4), 19)


def test_silent_again_after_the_cooldown_it_is_another_alert(portfolio: Portfolio) -> None:
    decide(portfolio, "Aetna", (START, SHIFT), (week(1), week(1) + timedelta(2)))
    decide(portfolio, "Cigna", (START, week(9)))

    portfolio.detect_weekly(DAY, week(4))

    former, new = portfolio.rows("alert")
    assert (former["status"], new["status"]) == ("resolved", "open")
    assert new["previous_alert_id"] == former["id"]


def test_what_a_user_resolved_stays_so_until_it_decided(portfolio: Portfolio) -> None:
    decide(portfolio, "Aetna", (START, SHIFT), (week(4), week(5)))
    decide(portfolio, "Cigna", (START, week(12)))
    portfolio.detect_weekly(DAY, week(1))
    portfolio.resolve()

    portfolio.detect_weekly(week(2), week(4))
    assert portfolio.kinds() == ["opened", "escalated", "resolved"]
    assert portfolio.alert()["rearmed"] is False
    portfolio.detect(week(5))
    assert portfolio.alert()["rearmed"] is True
    portfolio.detect_weekly(week(6), week(8))

    assert portfolio.kinds() == ["opened", "escalated", "resolved", "opened", "escalated"]


def test_reopened_by_a_user_it_is_over_again_the_next_day(portfolio: Portfolio) -> None:
    decide(portfolio, "Aetna", (START, SHIFT), (DAY, week(9)))
    decide(portfolio, "Cigna", (START, week(9)))
    portfolio.detect_weekly(DAY, week(1))
    assert portfolio.kinds() == ["opened", "cleared"]

    portfolio.reopen()
    repeat(portfolio, week(1))
    assert portfolio.alert()["status"] == "open"
    portfolio.detect(week(1) + timedelta(1))

    assert portfolio.kinds() == ["opened", "cleared", "reopened", "cleared"]


def test_it_mutes_nothing_and_leaves_no_day_out(silent: Portfolio) -> None:
    # A rate that rose just before: its alert lives on, without lines to clear by.
    silent.decide(SHIFT - timedelta(1), denied=40)
    silent.detect_weekly(week(-2), week(2))

    alerts = {alert["metric"]: alert for alert in silent.rows("alert")}
    assert set(alerts) == {"DENIAL_RATE", "SILENCE"}
    assert [alert["muted"] for alert in alerts.values()] == [False, False]
    assert silent.measured(week(30), payer="Cigna")["baseline_n"] == 5 * 182
    silent.resolve(alerts["SILENCE"]["id"])
    silent.resolve(alerts["DENIAL_RATE"]["id"])
    assert silent.measured(week(3), payer="Aetna")["baseline_n"] == 5 * 182


def test_the_simple_method_hears_it_too(silent: Portfolio) -> None:
    silent.settings(method="threshold")

    silent.detect(DAY)

    alert = silent.alert()
    assert (alert["metric"], alert["peak_severity"]) == ("SILENCE", 0.5)


def test_a_rule_about_rates_does_not_cover_it(silent: Portfolio) -> None:
    silent.edit_rule(silent.default_rule(), metric="DENIAL_RATE")

    silent.detect(DAY)

    assert [event["metric"] for event in silent.rows("drift_event")] == ["SILENCE"]
    assert silent.rows("alert") == []


def test_after_a_year_it_still_is(silent: Portfolio) -> None:
    silent.detect(DAY)

    silent.detect_weekly(week(50), week(55))

    alert = silent.alert()
    assert (alert["status"], alert["occurrences"]) == ("open", 7)
    row = silence(silent, week(55))
    assert row is not None
    assert (row["frozen_alert_id"], row["drifted"]) == (alert["id"], True)
    assert (row["baseline_n"], row["current_n"]) == (5 * 182, 0)
    # Its last decision is older than any baseline.
    assert row["current_value"] == (week(55) - SHIFT).days
