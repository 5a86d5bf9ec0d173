"""`drift.detect` with windows of 14, 28 and 56 days: slow changes, small groups, recoveries."""

from datetime import date, timedelta

import pytest

from tests.alerts.stories import (
    CRITICAL,
    DAY,
    NORMAL,
    SHIFT,
    START,
    tell,
    tell_others,
    week,
)
from tests.drift.test_detect_again import detect_twice
from tests.portfolio import Portfolio


def last_event_day(portfolio: Portfolio) -> date:
    days: list[date] = [event["current_end"] for event in portfolio.rows("drift_event")]
    return max(days) + timedelta(1)


def test_a_creep_is_found_by_the_window_of_56_days(portfolio: Portfolio) -> None:
    tell_others(portfolio, week(20))
    # From 10 %, half a point more each week.
    steps = [(SHIFT + timedelta(7 * number), 0.1 + number * 0.005) for number in range(1, 22)]
    tell(portfolio, *steps)

    portfolio.detect_weekly(DAY, week(19))

    event = portfolio.rows("drift_event")[0]
    alert = portfolio.alert()
    opened = alert["opened_as_of"]
    assert (event["window_days"], event["direction"]) == (56, "up")
    assert alert["window_start"] == event["current_start"] == opened - timedelta(56)
    # The last fortnight alone could not say so.
    fortnight = event_window(portfolio, opened, 14)
    assert fortnight["p_combined"] > event["p_value"]
    assert fortnight["p"] > 0.05 / 4


def event_window(portfolio: Portfolio, as_of: date, days: int) -> dict[str, float]:
    """A window's test as the run of a day computed it."""
    windows: list[dict[str, float]] = portfolio.worker.value(
        """
        SELECT m.windows
        FROM drift_measurement AS m
        JOIN drift_run AS r ON r.customer_id = m.customer_id AND r.id = m.run_id
        WHERE m.customer_id = %s AND r.as_of = %s AND m.metric = 'DENIAL_RATE'
            AND m.payer_id = %s
        """,
        portfolio.customer_id,
        as_of,
        portfolio.payer("Aetna"),
    )
    [window] = [window for window in windows if window["days"] == days]
    return window


def test_a_small_lasting_step_is_found_sooner_or_later(portfolio: Portfolio) -> None:
    # 42 lines in a fortnight: 10 and 24 % are hardly told apart in one, but in two, or four.
    portfolio.decide_steps(START, [(SHIFT, NORMAL), (week(8), 0.24)], per_day=3)
    tell_others(portfolio, week(8))

    portfolio.detect_weekly(DAY, week(8))

    alert = portfolio.alert()
    assert DAY < alert["opened_as_of"] <= week(6)
    assert portfolio.rows("drift_event")[0]["window_days"] in (28, 56)
    # From then on it is followed in the shortest window that has enough lines.
    assert portfolio.rows("drift_event")[-1]["window_days"] == 14
    assert portfolio.measured(week(8))["window_days"] == 14


def test_a_sudden_change_is_found_by_the_window_of_14_days(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    assert (event["window_days"], event["current_start"]) == (14, SHIFT)


def test_with_a_short_history_there_are_fewer_windows(portfolio: Portfolio) -> None:
    for days, windows in ((300, 3), (237, 2), (140, 2), (139, 1), (70, 1)):
        portfolio.owner.execute("DELETE FROM claim WHERE customer_id = %s", portfolio.customer_id)
        portfolio.decide_period(DAY - timedelta(days), DAY, per_day=5, rate=NORMAL)
        portfolio.detect(DAY)
        [row] = [
            row for row in portfolio.rows("drift_measurement") if row["metric"] == "DENIAL_RATE"
        ]
        assert len(row["windows"]) == windows, days


# A small group: 14 lines in 14 days


def tell_little(portfolio: Portfolio, *steps: tuple[date, float]) -> None:
    portfolio.decide_steps(START, [(SHIFT, NORMAL), *steps], per_day=1)


def test_a_small_group_is_measured_by_the_longer_windows(portfolio: Portfolio) -> None:
    tell_little(portfolio, (week(8), 0.5))
    tell_others(portfolio, week(8))

    portfolio.detect_weekly(DAY, week(6))

    alert = portfolio.alert()
    event = portfolio.rows("drift_event")[0]
    assert (event["window_days"], event["current_n"]) == (56, 56)
    assert alert["opened_as_of"] <= week(6)
    assert (portfolio.measured(week(6))["window_days"], alert["status"]) == (56, "open")
    assert event_window(portfolio, week(6), 14)["p"] is None
    assert event_window(portfolio, week(6), 14)["n"] == 14


def test_a_small_group_clears_when_its_window_is_normal_again(portfolio: Portfolio) -> None:
    tell_little(portfolio, (week(6), 0.5), (week(30), NORMAL))
    tell_others(portfolio, week(30))

    portfolio.detect_weekly(DAY, week(30))

    assert portfolio.kinds()[0] == "opened"
    assert portfolio.kinds().count("cleared") == 1
    assert portfolio.kinds()[-1] == "cleared"
    alert = portfolio.alert()
    assert week(6) < alert["resolved_as_of"] <= week(20)
    assert last_event_day(portfolio) <= alert["resolved_as_of"]


def test_with_15_lines_in_14_days_the_window_of_28_days_follows(portfolio: Portfolio) -> None:
    tell_little(portfolio, (week(6), 0.6), (week(20), NORMAL))
    # One more line a fortnight.
    for days in range(-300, 7 * 20, 14):
        portfolio.decide(DAY + timedelta(days), paid=1)
    tell_others(portfolio, week(20))

    portfolio.detect_weekly(DAY, week(20))

    assert event_window(portfolio, week(6), 14)["n"] == 15
    frozen = [
        row
        for row in portfolio.rows("drift_measurement")
        if row["metric"] == "DENIAL_RATE" and row["frozen_alert_id"] is not None
    ]
    assert {row["window_days"] for row in frozen} == {28}
    assert portfolio.kinds()[-1] == "cleared"
    assert portfolio.alert()["resolved_as_of"] <= week(20)


# Windows after a recovery


@pytest.mark.parametrize("weeks", [0, 6])
def test_what_cleared_does_not_flap_while_longer_windows_hold_it(
    portfolio: Portfolio, weeks: int
) -> None:
    tell(portfolio, (week(weeks), 0.5), (week(weeks + 12), NORMAL))
    tell_others(portfolio, week(weeks + 12))
    portfolio.detect_weekly(DAY, week(weeks))

    for days in range(7 * weeks + 1, 7 * (weeks + 10), 3):
        portfolio.detect(DAY + timedelta(days))

    alert = portfolio.alert()
    assert portfolio.kinds() == ["opened", "cleared"]
    assert alert["recovered_as_of"] == alert["resolved_as_of"] <= week(weeks + 2) + timedelta(2)
    # For the window of 56 days to forget it would take six weeks more.
    assert last_event_day(portfolio) <= week(weeks + 2) + timedelta(2)
    rows = [
        row
        for row in portfolio.rows("drift_measurement")
        if row["metric"] == "DENIAL_RATE"
        and row["payer_id"] == portfolio.payer("Aetna")
        and row["current_end"] >= alert["resolved_as_of"]
    ]
    assert not any(row["drifted"] for row in rows)
    # 14 days before the recovery, and all since then.
    for row in rows:
        reach = (row["current_end"] - alert["resolved_as_of"]).days + 1 + 14
        assert [window["n"] for window in row["windows"]] == [
            10 * min(days, reach) for days in (14, 28, 56)
        ]


@pytest.mark.parametrize("method", ["significance", "threshold"])
def test_a_second_spike_after_a_recovery_is_found(portfolio: Portfolio, method: str) -> None:
    portfolio.settings(method=method)
    tell(portfolio, (DAY, CRITICAL), (week(5), NORMAL), (week(7), CRITICAL), (week(12), NORMAL))
    tell_others(portfolio, week(12))

    for weeks in range(13):
        detect_twice(portfolio, week(weeks))

    first, second = portfolio.rows("alert")
    assert (first["status"], first["resolved_as_of"]) == ("resolved", week(2))
    assert (second["status"], second["resolved_by"]) == ("resolved", "cleared")
    assert second["opened_as_of"] <= week(7)
    assert week(9) <= second["resolved_as_of"] <= week(11)
    assert second["previous_alert_id"] == first["id"]


def test_a_creep_after_a_recovery_is_found_once_the_window_has_filled(
    portfolio: Portfolio,
) -> None:
    tell_others(portfolio, week(24))
    # Cleared at week(2); from then on 16 %, which no fortnight tells from 10 %.
    tell(portfolio, (DAY, CRITICAL), (week(2), NORMAL), (week(24), 0.16))

    portfolio.detect_weekly(DAY, week(20))

    first, second = portfolio.rows("alert")
    assert first["resolved_as_of"] == week(2)
    assert week(5) <= second["opened_as_of"] <= week(12)
    [event] = [
        event
        for event in portfolio.rows("drift_event")
        if event["current_end"] == second["opened_as_of"] - timedelta(1)
    ]
    assert event["window_days"] == 56


def test_windows_start_anew_where_a_user_resolved_and_it_went_away(portfolio: Portfolio) -> None:
    tell(portfolio, (week(1), CRITICAL), (week(12), NORMAL))
    tell_others(portfolio, week(12))
    portfolio.detect(DAY)
    portfolio.resolve()

    portfolio.detect_weekly(week(1), week(10))

    alert = portfolio.alert()
    assert (alert["status"], alert["rearmed"]) == ("resolved", True)
    # Gone from the window that alerted, whatever the longer ones still hold.
    assert alert["recovered_as_of"] == week(3)
    assert portfolio.kinds() == ["opened", "resolved"]


def test_a_live_alert_of_a_spike_is_not_held_up_by_longer_windows(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, 0.6), (week(9), NORMAL))

    portfolio.detect_weekly(DAY, week(2))

    assert portfolio.kinds() == ["opened", "cleared"]
    assert portfolio.alert()["resolved_as_of"] == week(2)
