"""`stats.newcombe_interval` against Newcombe's table, exact arithmetic and statsmodels."""

from decimal import Decimal, localcontext

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from tests.stats import EXTREME_TABLES, Connect, Table, evaluate, query, random_tables

Z = Decimal("1.95996398454005423552")


def wilson(x: int, n: int) -> tuple[Decimal, Decimal]:
    """Both bounds as Wilson wrote them."""
    p = Decimal(x) / n
    root = Z * (Z * Z + 4 * n * p * (1 - p)).sqrt()
    low, high = ((2 * n * p + Z * Z + sign * root) / (2 * (n + Z * Z)) for sign in (-1, 1))
    return low, high


def exact_interval(table: Table) -> tuple[float, float]:
    """With 60 digits, since a bound near 0 is a difference of nearly equal numbers."""
    x1, n1, x2, n2 = table
    with localcontext(prec=60):
        p1, p2 = Decimal(x1) / n1, Decimal(x2) / n2
        (low1, high1), (low2, high2) = wilson(x1, n1), wilson(x2, n2)
        down = ((p1 - low1) ** 2 + (high2 - p2) ** 2).sqrt()
        up = ((high1 - p1) ** 2 + (p2 - low2) ** 2).sqrt()
        return float(p1 - p2 - down), float(p1 - p2 + up)


def assert_exact(connect: Connect, tables: list[Table]) -> None:
    for table, row in zip(tables, evaluate(connect, "newcombe_interval", tables), strict=True):
        # abs: only bounds below 1e-6 may use it, having cancelled.
        assert row == pytest.approx(exact_interval(table), rel=1e-9, abs=1e-15), table


@pytest.mark.parametrize(
    ("table", "interval"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0000)),
        ((10, 10, 0, 10), (0.6075, 1.0000)),
    ],
)
def test_newcombes_own_examples_come_out(
    connect: Connect, table: Table, interval: tuple[float, float]
) -> None:
    """Newcombe (1998), table II, method 10."""
    assert evaluate(connect, "newcombe_interval", [table])[0] == pytest.approx(interval, abs=5e-5)


def test_random_tables_are_exact(connect: Connect) -> None:
    assert_exact(connect, random_tables(seed=1, count=1_000, largest=100_000))


def test_extreme_tables_are_exact(connect: Connect) -> None:
    assert_exact(connect, EXTREME_TABLES)


def test_tables_of_two_billion_are_exact(connect: Connect) -> None:
    most = 2_147_483_647
    assert_exact(connect, [(most // 2, most, most, most), (0, most, 1, most), (1, 1, 9, most)])


def test_random_tables_agree_with_statsmodels(connect: Connect) -> None:
    tables = random_tables(seed=2, count=400, largest=100_000)
    rows = evaluate(connect, "newcombe_interval", tables)
    for (x1, n1, x2, n2), row in zip(tables, rows, strict=True):
        expected = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff")
        assert row == pytest.approx(expected, rel=1e-9, abs=1e-14), (x1, n1, x2, n2)


def test_the_interval_holds_the_difference_and_stays_within_one(connect: Connect) -> None:
    rows = evaluate(connect, "newcombe_interval", EXTREME_TABLES)
    for (x1, n1, x2, n2), (low, high) in zip(EXTREME_TABLES, rows, strict=True):
        assert -1 <= low <= x1 / n1 - x2 / n2 <= high <= 1


def test_exchanging_the_samples_mirrors_the_interval(connect: Connect) -> None:
    tables = random_tables(seed=3, count=200, largest=100_000)
    mirrored = evaluate(
        connect, "newcombe_interval", [(x2, n2, x1, n1) for x1, n1, x2, n2 in tables]
    )
    assert evaluate(connect, "newcombe_interval", tables) == [
        pytest.approx((-high, -low), rel=1e-12, abs=1e-15) for low, high in mirrored
    ]


def test_null_in_any_argument_gives_no_row(connect: Connect) -> None:
    for arguments in ((None, 1, 1, 1), (1, None, 1, 1), (1, 1, None, 1), (1, 1, 1, None)):
        assert not query(
            connect,
            """
            SELECT * FROM stats.newcombe_interval(
                p_x1 => %s, p_n1 => %s, p_x2 => %s, p_n2 => %s
            )
            """,
            *arguments,
        )
