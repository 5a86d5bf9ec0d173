"""`drift.touched_cells`: fortnights that say nothing about usual ones."""

import pytest

from tests.drift.former_alerts import END, START, Stretch, ask, insert
from tests.portfolio import Portfolio


@pytest.mark.parametrize(
    ("episode", "cells"),
    [
        # Ages 94 to 71; cells are ages 57 to 70, 71 to 84 and 85 to 98.
        ((80, 70), [1, 2]),
        # One day is enough, also at either end: ages 94 to 70, and 99 to 84.
        ((80, 69), [0, 1, 2]),
        ((85, 84), [2, 3]),
        # Nothing in the baseline.
        ((40, 30), []),
        ((42, 30), []),
        ((43, 30), [0]),
        # Only the incomplete oldest cell, ages 99 and 100.
        ((110, 99), [3]),
    ],
)
def test_a_cell_is_touched_by_any_day_left_out(
    portfolio: Portfolio, episode: Stretch, cells: list[int]
) -> None:
    # Whether or not anything was decided on it.
    insert(portfolio, episode)

    rows = ask(portfolio, "touched_cells", START, END, "DENIAL_RATE")

    assert sorted(row["cell"] for row in rows) == cells
    assert {(row["payer_id"], row["cpt_group_id"]) for row in rows} <= {
        (portfolio.payer("Aetna"), portfolio.group("99213"))
    }
    assert ask(portfolio, "touched_cells", START, END, "DECISION_DAYS") == []


def test_a_payer_as_a_whole_touches_for_all_its_groups(portfolio: Portfolio) -> None:
    insert(portfolio, (60, None), group=None)

    rows = ask(portfolio, "touched_cells", START, END, "DENIAL_RATE")

    # Ages 74 to 57.
    assert sorted((row["cell"], row["cpt_group_id"]) for row in rows) == [(0, None), (1, None)]


def test_what_is_left_out_of_windows_touches_no_cell(portfolio: Portfolio) -> None:
    insert(portfolio, (20, 10), recovered=(10,))

    assert ask(portfolio, "touched_cells", START, END, "DENIAL_RATE") == []
