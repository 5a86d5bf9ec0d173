"""`drift.frozen_baselines` and `drift.count_left_out`: alerts as they were when the day began."""

from datetime import date, timedelta

import pytest

from tests.alerts.stories import DAY
from tests.drift.oracle import Alert, Baseline, Episode
from tests.drift.worlds import insert_alert
from tests.portfolio import Portfolio

START = DAY - timedelta(100)
END = DAY - timedelta(57)


def day(age: int) -> date:
    return DAY - timedelta(age)


def insert(
    portfolio: Portfolio,
    *episodes: tuple[int, int | None],
    new_normal: tuple[bool, ...] = (False, False),
) -> int:
    """An alert that was live between these ages, its window from 14 days before the first on."""
    alert = Alert(
        id=1,
        group=(portfolio.payer("Aetna"), portfolio.group("99213")),
        metric="DENIAL_RATE",
        direction="up",
        window_start=day(episodes[0][0] + 14),
        episodes=tuple(
            Episode(day(start), None if end is None else day(end), is_normal)
            for (start, end), is_normal in zip(episodes, new_normal, strict=False)
        ),
        baseline=Baseline(day(300), day(200), (5,) * 40, 4),
    )
    return insert_alert(
        portfolio.owner, portfolio.customer_id, portfolio.default_rule(), alert.group, alert
    )


def frozen(portfolio: Portfolio) -> list[int]:
    return [
        row["alert_id"]
        for row in portfolio.worker.dicts(
            "SELECT * FROM drift.frozen_baselines(p_customer_id => %s, p_as_of => %s)",
            portfolio.customer_id,
            DAY,
        )
    ]


def left_out(
    portfolio: Portfolio, start: date | None = START, end: date | None = END
) -> tuple[int, int]:
    """Lines and denials left out, where one of two lines each day is denied."""
    return portfolio.worker.execute(
        """
        SELECT coalesce(sum(lines), 0)::int, coalesce(sum(denied), 0)::int
        FROM drift.count_left_out(
            p_customer_id => %s, p_as_of => %s, p_baseline_start => %s, p_baseline_end => %s
        )
        """,
        portfolio.customer_id,
        DAY,
        start,
        end,
    )[0]


@pytest.mark.parametrize(
    ("episodes", "live", "days_out"),
    [
        ([(1, None)], True, 0),
        ([(0, None)], False, 0),
        ([(0, 0)], False, 0),
        ([(80, None)], True, 0),
        # Resolved on the day itself: it was live when the day began.
        ([(80, 0)], True, 0),
        ([(80, -1)], True, 0),
        # Ages 94 to 2, of which the baseline has 94 to 57.
        ([(80, 1)], False, 38),
        ([(80, 70)], False, 24),
        ([(80, 80)], False, 14),
        # Ages 104 to 88, of which the baseline has 100 to 88.
        ([(90, 87)], False, 13),
        ([(20, 10)], False, 0),
        # Reopened: before, on and after the day.
        ([(80, 70), (65, None)], True, 0),
        ([(80, 70), (0, None)], False, 24),
        ([(80, 70), (0, 0)], False, 24),
        ([(80, 0), (0, None)], True, 0),
        ([(80, 0), (0, 0)], True, 0),
        ([(80, 70), (65, 60)], False, 34),
    ],
)
def test_live_alerts_freeze_and_those_that_are_over_leave_days_out(
    portfolio: Portfolio,
    episodes: list[tuple[int, int | None]],
    live: bool,
    days_out: int,
) -> None:
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=2, rate=0.5)
    alert_id = insert(portfolio, *episodes)

    assert frozen(portfolio) == ([alert_id] if live else [])
    assert left_out(portfolio) == (2 * days_out, days_out)
    assert left_out(portfolio, None, None) == (0, 0)


@pytest.mark.parametrize(
    ("episodes", "days_out"),
    [
        # Ages 100 to 81: all before its opening.
        ([(80, 70)], 20),
        ([(80, 0)], 0),
        ([(110, 70)], 0),
        ([(20, 10)], 44),
        # Undone on the day itself.
        ([(80, 70), (0, None)], 20),
    ],
)
def test_a_new_normal_leaves_out_all_that_was_before_it(
    portfolio: Portfolio, episodes: list[tuple[int, int | None]], days_out: int
) -> None:
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=2, rate=0.5)
    insert(portfolio, *episodes, new_normal=(True, False))

    assert left_out(portfolio) == (2 * days_out, days_out)
    assert left_out(portfolio, None, None) == (0, 0)


def test_overlapping_episodes_leave_a_day_out_once(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=2, rate=0.5)
    insert(portfolio, (80, 70))
    insert(portfolio, (75, 65))

    # Ages 94 to 66.
    assert left_out(portfolio) == (58, 29)


def test_other_groups_and_metrics_are_not_left_out(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(300), DAY, per_day=4, rate=0.5)
    portfolio.decide_period(DAY - timedelta(300), DAY, per_day=4, rate=0.5, payer="Cigna")
    insert(portfolio, (80, 70))

    assert portfolio.measured(DAY)["baseline_n"] == 4 * (182 - 24)
    assert portfolio.measured(DAY, "DECISION_DAYS")["baseline_n"] == 4 * 182
    assert portfolio.measured(DAY, payer="Cigna")["baseline_n"] == 4 * 182
