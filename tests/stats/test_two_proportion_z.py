"""`stats.two_proportion_z` against statsmodels and against exact arithmetic."""

import math
from fractions import Fraction

import pytest
from scipy.special import erfc
from statsmodels.stats.proportion import proportions_ztest

from tests.stats import EXTREME_TABLES, Connect, Table, evaluate, query, random_tables

FLOOR = 1e-300


def exact_p(table: Table) -> float:
    """p from z^2 as a fraction: statsmodels' difference of nearly equal rates cancels."""
    x1, n1, x2, n2 = table
    rate = Fraction(x1 + x2, n1 + n2)
    if rate in (0, 1):
        return 1.0
    difference = Fraction(x1, n1) - Fraction(x2, n2)
    z_squared = difference**2 / (rate * (1 - rate) * (Fraction(1, n1) + Fraction(1, n2)))
    return max(float(erfc(math.sqrt(z_squared / 2))), FLOOR)


def assert_exact(connect: Connect, tables: list[Table]) -> None:
    for table, (p,) in zip(tables, evaluate(connect, "two_proportion_z", tables), strict=True):
        assert p == pytest.approx(exact_p(table), rel=1e-9, abs=0), table


def test_random_tables_are_exact(connect: Connect) -> None:
    assert_exact(connect, random_tables(seed=1, count=1_000, largest=100_000))


def test_extreme_tables_are_exact(connect: Connect) -> None:
    assert_exact(connect, EXTREME_TABLES)


def test_tables_of_two_billion_are_exact(connect: Connect) -> None:
    most = 2_147_483_647
    assert_exact(
        connect,
        [
            (most // 2, most, most // 2 + 1, most),
            (most // 3, most, most // 3 + 30_000, most),
            (0, most, most, most),
            (most, most, most, most),
            (1, 1, most - 1, most),
        ],
    )


def test_random_tables_agree_with_statsmodels(connect: Connect) -> None:
    tables = [
        (x1, n1, x2, n2)
        for x1, n1, x2, n2 in random_tables(seed=2, count=600, largest=100_000)
        if 0 < x1 + x2 < n1 + n2
    ]
    for (x1, n1, x2, n2), (p,) in zip(
        tables, evaluate(connect, "two_proportion_z", tables), strict=True
    ):
        _, expected = proportions_ztest([x1, x2], [n1, n2])
        assert p == pytest.approx(max(expected, FLOOR), rel=1e-9, abs=0), (x1, n1, x2, n2)


@pytest.mark.parametrize("table", [(0, 1, 0, 1), (0, 7, 0, 100_000), (1, 1, 1, 1), (9, 9, 30, 30)])
def test_a_pooled_rate_of_zero_or_one_gives_p_one(connect: Connect, table: Table) -> None:
    assert evaluate(connect, "two_proportion_z", [table]) == [(1.0,)]


def test_hopeless_tables_stop_at_the_floor(connect: Connect) -> None:
    table = (0, 100_000, 100_000, 100_000)
    assert evaluate(connect, "two_proportion_z", [table]) == [(FLOOR,)]


def test_exchanging_samples_or_outcomes_changes_nothing(connect: Connect) -> None:
    tables = random_tables(seed=3, count=200, largest=100_000)
    samples = [(x2, n2, x1, n1) for x1, n1, x2, n2 in tables]
    outcomes = [(n1 - x1, n1, n2 - x2, n2) for x1, n1, x2, n2 in tables]
    expected = [
        pytest.approx(row, rel=1e-12) for row in evaluate(connect, "two_proportion_z", tables)
    ]
    assert evaluate(connect, "two_proportion_z", samples) == expected
    assert evaluate(connect, "two_proportion_z", outcomes) == expected


def test_null_in_any_argument_gives_null(connect: Connect) -> None:
    assert query(
        connect,
        """
        SELECT
            stats.two_proportion_z(p_x1 => NULL, p_n1 => 1, p_x2 => 1, p_n2 => 1),
            stats.two_proportion_z(p_x1 => 1, p_n1 => NULL, p_x2 => 1, p_n2 => 1),
            stats.two_proportion_z(p_x1 => 1, p_n1 => 1, p_x2 => NULL, p_n2 => 1),
            stats.two_proportion_z(p_x1 => 1, p_n1 => 1, p_x2 => 1, p_n2 => NULL)
        """,
    ) == [(None, None, None, None)]
