"""Alerts that were live at some time before DAY, written straight into the table."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from tests.alerts.stories import DAY
from tests.drift.oracle import Alert, Baseline, Episode, Stratum
from tests.drift.worlds import insert_alert
from tests.portfolio import Portfolio

# The baseline of these tests: ages 100 to 57.
START = DAY - timedelta(100)
END = DAY - timedelta(57)

# From an age to an age.
Stretch = tuple[int, int | None]

# Whether the alert was live as DAY began, and else how many days it leaves out.
EPISODES: list[tuple[list[Stretch], bool, int]] = [
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
]


def day(age: int) -> date:
    return DAY - timedelta(age)


def insert(
    portfolio: Portfolio,
    *episodes: Stretch,
    new_normal: Sequence[bool] = (False, False),
    recovered: Sequence[int | None] = (None, None),
    metric: str = "DENIAL_RATE",
    payer: str = "Aetna",
    group: str | None = "99213",
) -> int:
    """An alert that was live between these ages, its window from 14 days before the first on."""
    baseline = Baseline(day(300), day(200), (5,) * 40, 4, dispersion=1.5, nu=17)
    group_id = None if group is None else portfolio.group(group)
    if group is None and metric == "DENIAL_RATE":
        baseline = replace(baseline, strata=(Stratum(portfolio.group("99213"), 40, 4, 1.5),))
    alert = Alert(
        id=1,
        group=(portfolio.payer(payer), group_id),
        metric=metric,
        direction="up",
        window_start=day(episodes[0][0] + 14),
        episodes=tuple(
            Episode(
                day(start),
                None if end is None else day(end),
                is_normal,
                None if gone is None else day(gone),
            )
            for (start, end), is_normal, gone in zip(episodes, new_normal, recovered, strict=False)
        ),
        baseline=baseline,
    )
    return insert_alert(
        portfolio.owner, portfolio.customer_id, portfolio.default_rule(), alert.group, alert
    )


def ask(portfolio: Portfolio, function: str, *arguments: Any) -> list[dict[str, Any]]:
    """What a function of `drift` says about the customer as of DAY."""
    parameters = ", ".join(["%s"] * (2 + len(arguments)))
    return portfolio.worker.dicts(
        f"SELECT * FROM drift.{function}({parameters})", portfolio.customer_id, DAY, *arguments
    )
