"""`drift.left_out_days`: what alerts leave out of baselines, and of the current windows."""

from datetime import date, timedelta

import pytest

from tests.alerts.stories import DAY
from tests.drift.former_alerts import END, EPISODES, START, Stretch, ask, day, insert
from tests.portfolio import Portfolio


def ages(
    portfolio: Portfolio,
    *,
    is_current: bool = False,
    start: date | None = START,
    end: date | None = END,
) -> list[int]:
    """How old the days are that are left out for the one group, oldest first."""
    rows = ask(portfolio, "left_out_days", start, end)
    return sorted(
        ((DAY - row["day"]).days for row in rows if row["is_current"] is is_current), reverse=True
    )


def stretch(oldest: int, newest: int) -> list[int]:
    return list(range(oldest, newest - 1, -1))


@pytest.mark.parametrize(("episodes", "_live", "days_out"), EPISODES)
def test_while_an_alert_was_live_nothing_was_normal(
    portfolio: Portfolio, episodes: list[Stretch], _live: bool, days_out: int
) -> None:
    insert(portfolio, *episodes)

    assert len(ages(portfolio)) == days_out
    assert ages(portfolio, start=None, end=None) == []


def test_it_is_left_out_from_its_opening_window_to_the_day_before_its_end(
    portfolio: Portfolio,
) -> None:
    insert(portfolio, (80, 70))

    assert ages(portfolio) == stretch(94, 71)
    assert ages(portfolio, start=day(238), end=day(57)) == stretch(94, 71)
    assert ages(portfolio, start=day(90), end=day(80)) == stretch(90, 80)


@pytest.mark.parametrize(
    ("episodes", "days_out"),
    [
        # All before its opening.
        ([(80, 70)], stretch(100, 81)),
        ([(80, 0)], []),
        ([(110, 70)], []),
        ([(20, 10)], stretch(100, 57)),
        # Undone on the day itself.
        ([(80, 70), (0, None)], stretch(100, 81)),
    ],
)
def test_a_new_normal_leaves_out_all_that_was_before_it(
    portfolio: Portfolio, episodes: list[Stretch], days_out: list[int]
) -> None:
    insert(portfolio, *episodes, new_normal=(True, False))

    assert ages(portfolio) == days_out
    assert ages(portfolio, start=None, end=None) == []


def test_overlapping_alerts_leave_a_day_out_once(portfolio: Portfolio) -> None:
    insert(portfolio, (80, 70))
    insert(portfolio, (75, 65))

    assert ages(portfolio) == stretch(94, 66)


def test_each_group_and_metric_has_days_of_its_own(portfolio: Portfolio) -> None:
    insert(portfolio, (80, 70))
    insert(portfolio, (62, 61), metric="DECISION_DAYS", payer="Cigna", group="99214")

    assert {
        (row["payer_id"], row["cpt_group_id"], row["metric"])
        for row in ask(portfolio, "left_out_days", START, END)
    } == {
        (portfolio.payer("Aetna"), portfolio.group("99213"), "DENIAL_RATE"),
        (portfolio.payer("Cigna"), portfolio.group("99214"), "DECISION_DAYS"),
    }


# An alert on a payer as a whole


@pytest.mark.parametrize(
    ("episodes", "days_out"),
    [
        # Live: from its opening window on, with no end.
        ([(80, None)], stretch(94, 57)),
        ([(80, 0)], stretch(94, 57)),
        ([(80, 70), (65, None)], stretch(94, 57)),
        # Not yet when the day began.
        ([(0, None)], []),
        # Over.
        ([(80, 70)], stretch(94, 71)),
        ([(80, 70), (0, None)], stretch(94, 71)),
    ],
)
def test_a_payer_as_a_whole_is_left_out_also_while_its_alert_is_live(
    portfolio: Portfolio, episodes: list[Stretch], days_out: list[int]
) -> None:
    insert(portfolio, *episodes, group=None)

    assert ages(portfolio) == days_out
    assert {row["cpt_group_id"] for row in ask(portfolio, "left_out_days", START, END)} <= {None}


def test_a_day_is_not_named_for_a_payer_and_its_group_as_well(portfolio: Portfolio) -> None:
    insert(portfolio, (80, 70), group=None)
    insert(portfolio, (75, 65))

    rows = ask(portfolio, "left_out_days", START, END)

    whole = [(DAY - row["day"]).days for row in rows if row["cpt_group_id"] is None]
    group = [(DAY - row["day"]).days for row in rows if row["cpt_group_id"] is not None]
    assert sorted(whole, reverse=True) == stretch(94, 71)
    assert sorted(group, reverse=True) == stretch(70, 66)


def test_a_silence_leaves_nothing_out(portfolio: Portfolio) -> None:
    insert(portfolio, (80, 70), group=None, metric="SILENCE", recovered=(70,))
    insert(portfolio, (40, None), group=None, metric="SILENCE")

    assert ask(portfolio, "left_out_days", START, END) == []


# Current windows


@pytest.mark.parametrize(
    ("episodes", "recovered", "days_out"),
    [
        # Cleared by the system: the last fortnight before that still counts.
        ([(60, 30)], (30,), stretch(56, 45)),
        ([(60, 42)], (42,), []),
        ([(60, 41)], (41,), [56]),
        ([(60, 1)], (1,), stretch(56, 16)),
        # As of the day of the recovery itself windows are whole.
        ([(60, 0)], (0,), []),
        # A user resolved it: from when it was seen to be gone, if it was.
        ([(60, 50)], (30,), stretch(56, 45)),
        ([(60, 50)], (0,), []),
        ([(60, 50)], (None,), []),
        # Live again since, or only today.
        ([(60, 30), (20, None)], (30, None), []),
        ([(60, 30), (0, None)], (30, None), stretch(56, 45)),
        ([(60, 30), (20, 10)], (30, 10), stretch(56, 25)),
    ],
)
def test_windows_start_anew_with_a_recovery(
    portfolio: Portfolio,
    episodes: list[Stretch],
    recovered: tuple[int | None, ...],
    days_out: list[int],
) -> None:
    insert(portfolio, *episodes, recovered=recovered)

    assert ages(portfolio, is_current=True) == days_out


def test_windows_of_all_groups_start_anew_with_the_recovery_of_their_payer(
    portfolio: Portfolio,
) -> None:
    insert(portfolio, (60, 30), group=None, recovered=(30,))

    assert ages(portfolio, is_current=True) == stretch(56, 45)
    assert {row["cpt_group_id"] for row in ask(portfolio, "left_out_days", START, END)} == {None}


def test_before_an_alert_everything_is_current(portfolio: Portfolio) -> None:
    insert(portfolio, (-1, -20), recovered=(-20,))

    assert ask(portfolio, "left_out_days", day(238), DAY - timedelta(57)) == []
