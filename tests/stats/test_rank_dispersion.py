"""`stats.rank_dispersion` against scipy's Kruskal-Wallis test."""

import numpy as np
import pytest
from scipy.stats import kruskal, rankdata

from tests.stats import Connect, query


def dispersion(connect: Connect, cells: list[list[int]]) -> float | None:
    """That of the days in each cell."""
    ranks = rankdata([day for cell in cells for day in cell]) if any(cells) else np.array([])
    ranks = ranks - ranks.mean() if len(ranks) else ranks
    ends = np.cumsum([len(cell) for cell in cells])
    between = sum(
        float(part.sum()) ** 2 / len(part) for part in np.split(ranks, ends[:-1]) if len(part)
    )
    ((value,),) = query(
        connect,
        "SELECT stats.rank_dispersion(p_between => %s, p_total => %s, p_n => %s, p_cells => %s)",
        between,
        float((ranks**2).sum()),
        len(ranks),
        sum(bool(cell) for cell in cells),
    )
    return value if value is None else float(value)


@pytest.mark.parametrize("values", [3, 12, 100_000], ids=["many ties", "some ties", "no ties"])
def test_it_is_kruskal_and_walliss_h_over_its_degrees_of_freedom(
    connect: Connect, values: int
) -> None:
    random = np.random.default_rng(values)
    for _ in range(20):
        cells = [
            random.integers(0, values, random.integers(2, 40)).tolist()
            for _ in range(random.integers(2, 14))
        ]
        expected = kruskal(*cells).statistic / (len(cells) - 1)
        assert dispersion(connect, cells) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_cells_that_are_alike_have_none(connect: Connect) -> None:
    assert dispersion(connect, [[1, 2, 3], [3, 2, 1], [2, 1, 3]]) == pytest.approx(0, abs=1e-15)


def test_empty_cells_do_not_count(connect: Connect) -> None:
    cells = [[1, 2, 2], [5, 9]]
    assert dispersion(connect, [*cells, [], []]) == dispersion(connect, cells)


@pytest.mark.parametrize(
    "cells",
    [[], [[1, 2, 3]], [[1, 2, 3], []], [[7, 7], [7, 7, 7]]],
    ids=["no cell", "one cell", "one cell with lines", "all tied"],
)
def test_where_it_cannot_be_told_it_is_null(connect: Connect, cells: list[list[int]]) -> None:
    assert dispersion(connect, cells) is None
