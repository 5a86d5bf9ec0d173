"""`drift.observe_days`: what is known about decision days before anything is judged."""

import random
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
from scipy.stats import kruskal, mannwhitneyu

from tests.alerts.stories import DAY
from tests.drift.former_alerts import ask, insert
from tests.portfolio import Portfolio

START, END = DAY - timedelta(238), DAY - timedelta(57)


def cell(portfolio: Portfolio, number: int, *days: int) -> None:
    """Decide lines that took so many days on the oldest day of a cell; 0 is the newest cell."""
    for took in days:
        portfolio.decide(END - timedelta(14 * number + 13), paid=1, days=took)


def current(portfolio: Portfolio, *days: int) -> None:
    for took in days:
        portfolio.decide(DAY - timedelta(1), paid=1, days=took)


def observe(
    portfolio: Portfolio, *, min_volume: int = 1, with_dispersion: bool = True
) -> dict[str, Any]:
    """The row of the one group."""
    [row] = ask(portfolio, "observe_days", START, END, min_volume, with_dispersion)
    return row


def test_medians_and_the_sums_of_the_rank_test(portfolio: Portfolio) -> None:
    baseline, now = [3, 5, 5, 8, 20], [5, 9, 20, 30]
    cell(portfolio, 0, *baseline)
    current(portfolio, *now)

    row = observe(portfolio)

    assert (row["baseline_n"], row["current_n"]) == (5, 4)
    assert (row["baseline_median"], row["current_median"]) == (5, 14.5)
    # Slower than the baseline's median.
    assert (row["baseline_x"], row["current_x"]) == (2, 3)
    assert (row["days"], row["baseline_counts"]) == ([3, 5, 8, 20], [1, 2, 1, 1])
    above = mannwhitneyu(now, baseline).statistic
    assert row["surplus"] == 2 * above - len(now) * len(baseline)
    # t (n - t) (n + t) over the distinct values of both: 5 three times, 20 twice.
    assert row["spread"] == 4 * 8 * 10 + 3 * 6 * 12 + 2 * 7 * 11


def test_dispersion_is_kruskal_and_walliss(portfolio: Portfolio) -> None:
    generator = random.Random(1)  # noqa: S311
    cells = [[generator.randint(5, 15 + n) for _ in range(9)] for n in range(6)]
    for number, days in enumerate(cells):
        cell(portfolio, number, *days)
    current(portfolio, 50, 60)

    row = observe(portfolio)

    assert (row["cells"], row["cell_n"]) == (6, 54)
    assert row["phi_own"] == pytest.approx(kruskal(*cells).statistic / 5, rel=1e-9)
    assert row["baseline_median"] == median(days for c in cells for days in c)
    row = observe(portfolio, with_dispersion=False)
    assert (row["phi_own"], row["baseline_n"]) == (None, 54)


def test_an_incomplete_oldest_cell_counts_for_totals_only(portfolio: Portfolio) -> None:
    cells = [[5, 6, 9], [5, 7, 7], [8, 8, 20]]
    for number, days in enumerate(cells):
        cell(portfolio, number, *days)

    # 41 days: the third cell lacks its oldest day, on which it decided.
    [row] = ask(portfolio, "observe_days", END - timedelta(40), END, 1, True)
    assert (row["baseline_n"], row["cells"]) == (6, 2)
    [row] = ask(portfolio, "observe_days", END - timedelta(43), END, 1, True)
    assert (row["baseline_n"], row["cells"], row["cell_n"]) == (9, 3, 9)
    cell(portfolio, 2, 100)
    portfolio.decide(END - timedelta(42), paid=2, days=90)
    [row] = ask(portfolio, "observe_days", END - timedelta(43), END, 1, True)
    assert (row["baseline_n"], row["cells"], row["cell_n"]) == (12, 3, 10)
    assert row["phi_own"] == pytest.approx(
        kruskal(cells[0], cells[1], [*cells[2], 100]).statistic / 2, rel=1e-9
    )


@pytest.mark.parametrize("cells", [[[7, 7], [7, 7, 7]], [[1, 2, 3, 4, 5]]])
def test_tied_days_and_a_single_cell_say_nothing(
    portfolio: Portfolio, cells: list[list[int]]
) -> None:
    for number, days in enumerate(cells):
        cell(portfolio, number, *days)

    assert observe(portfolio)["phi_own"] is None


def test_touched_cells_are_dropped(portfolio: Portfolio) -> None:
    cells = [[5, 6, 9], [5, 7, 7], [50, 80, 80], [4, 8, 11]]
    for number, days in enumerate(cells):
        cell(portfolio, number, *days)
    # Ages 94 to 86, in cell 2 (ages 85 to 98), which decided when it was 98 days old.
    insert(portfolio, (80, 79), metric="DECISION_DAYS")
    portfolio.owner.execute(
        "UPDATE alert SET resolved_as_of = %s WHERE customer_id = %s",
        DAY - timedelta(85),
        portfolio.customer_id,
    )

    row = observe(portfolio)

    assert (row["baseline_n"], row["cells"], row["cell_n"]) == (12, 3, 9)
    assert row["phi_own"] == pytest.approx(
        kruskal(cells[0], cells[1], cells[3]).statistic / 2, rel=1e-9
    )


def test_days_left_out_are_in_neither_sum(portfolio: Portfolio) -> None:
    for number in (0, 3):
        cell(portfolio, number, 5, 9, 9)
    portfolio.decide(DAY - timedelta(75), paid=3, days=9)
    portfolio.decide(DAY - timedelta(90), paid=7, days=60)
    insert(portfolio, (80, 79), metric="DECISION_DAYS")

    row = observe(portfolio)

    # Ages 94 to 80 are left out, which touches cells 1 and 2.
    assert (row["baseline_n"], row["baseline_median"]) == (9, 9)
    assert (row["days"], row["baseline_counts"]) == ([5, 9], [2, 7])
    assert (row["cells"], row["cell_n"]) == (2, 6)


def test_a_live_alert_keeps_its_baseline(portfolio: Portfolio) -> None:
    cell(portfolio, 0, 20, 30)
    cell(portfolio, 1, 40, 50)
    current(portfolio, 4, 5, 6)
    alert_id = insert(portfolio, (10, None), metric="DECISION_DAYS")

    row = observe(portfolio)

    assert row["frozen_alert_id"] == alert_id
    # 40 lines, each of which took 5 days.
    assert (row["baseline_n"], row["baseline_median"], row["baseline_x"]) == (40, 5, 0)
    assert (row["current_n"], row["current_median"], row["current_x"]) == (3, 5, 1)
    assert (row["days"], row["baseline_counts"]) == ([5], [40])
    assert row["surplus"] == 0


def test_of_groups_with_too_few_lines_only_volumes_are_known(portfolio: Portfolio) -> None:
    cell(portfolio, 0, 5, 9)
    current(portfolio, 7)

    row = observe(portfolio, min_volume=3)

    assert (row["baseline_n"], row["current_n"]) == (2, 1)
    assert {row[column] for column in row if column not in ("payer_id", "cpt_group_id")} == {
        2,
        1,
        None,
    }


def test_only_the_last_14_days_are_current(portfolio: Portfolio) -> None:
    cell(portfolio, 0, 5, 9)
    for age in (0, 1, 14, 15, 56):
        portfolio.decide(DAY - timedelta(age), paid=1)

    assert observe(portfolio)["current_n"] == 2
