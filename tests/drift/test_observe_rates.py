"""`drift.observe_rates`: what is known about denial rates before anything is judged."""

from datetime import timedelta
from typing import Any

import pytest

from tests.alerts.stories import DAY
from tests.drift.former_alerts import ask, insert
from tests.portfolio import Portfolio

# 182 days: 13 cells of 14 days, 6 of 28 (an incomplete one dropped), 3 of 56.
START, END = DAY - timedelta(238), DAY - timedelta(57)


def cell(portfolio: Portfolio, number: int, denied: int, lines: int) -> None:
    """Decide on the newest day of a baseline cell of 14 days; 0 is the newest."""
    portfolio.decide(END - timedelta(14 * number), denied=denied, paid=lines - denied)


def observe(portfolio: Portfolio) -> dict[str, Any]:
    """The row of the one group."""
    [row] = ask(portfolio, "observe_rates", START, END)
    return row


def pearson(cells: list[tuple[int, int]]) -> float:
    """Dispersion of (denied, lines), as the description has it."""
    x, n = sum(denied for denied, _ in cells), sum(lines for _, lines in cells)
    spread = sum(denied**2 / lines for denied, lines in cells) - x * x / n
    return spread / (x / n * (1 - x / n)) / (len(cells) - 1)


def test_counts_windows_and_dispersion_of_a_small_group(portfolio: Portfolio) -> None:
    # Cells 0 to 5 of 10 lines; in cells of 28 days 0-1, 2-3, 4-5; of 56 days 0-3 and 4-7.
    denials = [1, 5, 0, 2, 4, 0]
    for number, denied in enumerate(denials):
        cell(portfolio, number, denied, 10)
    # On the oldest and the newest day of each window.
    for age, denied in ((56, 1), (29, 1), (28, 2), (15, 0), (14, 3), (1, 1)):
        portfolio.decide(DAY - timedelta(age), denied=denied, paid=2)

    row = observe(portfolio)

    assert (row["payer_id"], row["cpt_group_id"]) == (
        portfolio.payer("Aetna"),
        portfolio.group("99213"),
    )
    assert row["frozen_alert_id"] is None
    assert (row["rolling_n"], row["baseline_n"], row["baseline_x"]) == (60, 60, 12)
    assert (row["current_n"], row["current_x"]) == ([8, 14, 20], [4, 6, 8])
    assert row["cells"] == [6, 3, 2]
    assert (row["cell_n"], row["cell_x"]) == (60, 12)
    assert row["phi_own"] == pytest.approx(
        [
            pearson([(x, 10) for x in denials]),
            pearson([(6, 20), (2, 20), (4, 20)]),
            pearson([(8, 40), (4, 20)]),
        ]
    )


def test_an_incomplete_oldest_cell_is_dropped(portfolio: Portfolio) -> None:
    for number in range(13):
        cell(portfolio, number, 1 + number % 2, 10)

    row = observe(portfolio)

    # 182 days are 6.5 cells of 28 days and 3.25 of 56.
    assert row["cells"] == [13, 6, 3]
    assert (row["cell_n"], row["baseline_n"]) == (130, 130)
    assert row["phi_own"][1:] == pytest.approx([0, 0], abs=1e-12)
    # Of 100 days, 7 cells of 14: what is older than 98 days counts for totals only.
    [row] = ask(portfolio, "observe_rates", END - timedelta(99), END)
    assert row["cells"] == [7, 3, 1]
    assert (row["cell_n"], row["baseline_n"]) == (70, 80)
    assert row["phi_own"][2] is None


def test_empty_cells_are_no_cells(portfolio: Portfolio) -> None:
    cell(portfolio, 0, 1, 10)
    cell(portfolio, 7, 3, 10)

    row = observe(portfolio)

    assert row["cells"] == [2, 2, 2]
    assert row["phi_own"] == pytest.approx([pearson([(1, 10), (3, 10)])] * 3)


@pytest.mark.parametrize("denied", [0, 10])
def test_where_all_or_none_were_denied_dispersion_is_unknown(
    portfolio: Portfolio, denied: int
) -> None:
    cell(portfolio, 0, denied, 10)
    cell(portfolio, 7, denied, 10)

    assert observe(portfolio)["phi_own"] == [None] * 3


def test_a_group_without_a_baseline_has_no_cells(portfolio: Portfolio) -> None:
    portfolio.decide(DAY - timedelta(1), denied=1, paid=1)

    row = observe(portfolio)

    assert (row["rolling_n"], row["baseline_n"], row["baseline_x"]) == (0, 0, 0)
    assert (row["cells"], row["cell_n"], row["phi_own"]) == (None, None, None)
    assert row["current_n"] == [2, 2, 2]


def test_days_left_out_touch_cells_of_all_lengths(portfolio: Portfolio) -> None:
    for number in range(8):
        cell(portfolio, number, 1 + number % 3, 10)
    # Ages 94 to 86, in cell 2 (ages 85 to 98), though nothing was decided on those days.
    insert(portfolio, (80, 79), metric="DENIAL_RATE")
    portfolio.owner.execute(
        "UPDATE alert SET resolved_as_of = %s WHERE customer_id = %s",
        DAY - timedelta(85),
        portfolio.customer_id,
    )

    row = observe(portfolio)

    assert (row["rolling_n"], row["baseline_n"]) == (80, 80)
    # Without cell 2; without cells 2 and 3; without cells 0 to 3.
    assert row["cells"] == [7, 3, 1]
    assert row["cell_n"] == 70
    assert row["phi_own"][0] == pytest.approx(
        pearson([(1 + number % 3, 10) for number in range(8) if number != 2])
    )


def test_a_live_alert_keeps_its_baseline_and_nothing_else(portfolio: Portfolio) -> None:
    for number in range(6):
        cell(portfolio, number, number, 10)
    before = observe(portfolio)
    alert_id = insert(portfolio, (10, None))

    row = observe(portfolio)

    assert row["frozen_alert_id"] == alert_id
    assert (row["rolling_n"], row["baseline_n"], row["baseline_x"]) == (60, 40, 4)
    for column in ("cells", "cell_n", "cell_x", "phi_own"):
        assert row[column] == before[column], column


def test_a_live_alert_is_not_gone_though_nothing_was_decided(portfolio: Portfolio) -> None:
    insert(portfolio, (10, None))

    row = observe(portfolio)

    assert (row["rolling_n"], row["baseline_n"], row["current_n"]) == (0, 40, [0, 0, 0])


def test_an_alert_on_days_or_on_the_payer_freezes_no_rate(portfolio: Portfolio) -> None:
    cell(portfolio, 0, 1, 10)
    insert(portfolio, (10, None), metric="DECISION_DAYS")
    insert(portfolio, (10, None), group=None)
    insert(portfolio, (10, None), group=None, metric="SILENCE")

    row = observe(portfolio)

    assert (row["frozen_alert_id"], row["baseline_n"]) == (None, 10)
