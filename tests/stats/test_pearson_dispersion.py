"""`stats.pearson_dispersion`: how much more a rate varies between cells than chance explains."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from tests.stats import Connect, query

Cells = list[tuple[int, int]]


def dispersion(connect: Connect, cells: Cells) -> float | None:
    """That of (denied, lines) per cell, of which some may be empty."""
    ((value,),) = query(
        connect,
        """
        SELECT
            stats.pearson_dispersion(
                p_spread => sum((c.x * t.n - c.n * t.x)::double precision ^ 2 / c.n),
                p_x => max(t.x),
                p_n => max(t.n),
                p_cells => count(*)
            )
        FROM
            unnest(%s::bigint[], %s::bigint[]) AS c (x, n),
            (SELECT %s::bigint, %s::bigint) AS t (x, n)
        WHERE c.n > 0
        """,
        [x for x, _ in cells],
        [n for _, n in cells],
        sum(x for x, _ in cells),
        sum(n for _, n in cells),
    )
    return value if value is None else float(value)


def test_it_is_pearsons_chi_squared_over_its_degrees_of_freedom(connect: Connect) -> None:
    random = np.random.default_rng(1)
    for number in range(30):
        sizes = random.integers(1, 10 ** (1 + number % 4), random.integers(2, 14))
        cells = [(int(random.binomial(n, 0.2)), int(n)) for n in sizes]
        if not 0 < sum(x for x, _ in cells) < sum(n for _, n in cells):
            continue
        table = [[x for x, _ in cells], [n - x for x, n in cells]]
        chi_squared, _, df, _ = chi2_contingency(table, correction=False)
        assert dispersion(connect, cells) == pytest.approx(chi_squared / df, rel=1e-12, abs=1e-12)


def test_it_is_what_the_formula_says(connect: Connect) -> None:
    """[sum(x^2 / n) - X^2 / N] / [P (1 - P)] / d: cells of 10 with 0, 2 and 4 denials."""
    assert dispersion(connect, [(0, 10), (2, 10), (4, 10)]) == pytest.approx(
        ((0 + 4 + 16) / 10 - 36 / 30) / (0.2 * 0.8) / 2, rel=1e-15
    )


def test_equal_rates_have_none(connect: Connect) -> None:
    assert dispersion(connect, [(1, 10), (2, 20), (30, 300)]) == 0


def test_batches_of_equal_claims_multiply_it_by_their_size(connect: Connect) -> None:
    cells = [(1, 10), (4, 12), (2, 9), (0, 7)]
    single = dispersion(connect, cells)
    assert single is not None
    assert dispersion(connect, [(5 * x, 5 * n) for x, n in cells]) == pytest.approx(5 * single)


@pytest.mark.parametrize(
    "cells",
    [[], [(1, 10)], [(1, 10), (0, 0)], [(0, 10), (0, 20)], [(10, 10), (20, 20)]],
    ids=["no cell", "one cell", "one cell with claims", "none denied", "all denied"],
)
def test_where_it_cannot_be_told_it_is_null(connect: Connect, cells: Cells) -> None:
    assert dispersion(connect, cells) is None
