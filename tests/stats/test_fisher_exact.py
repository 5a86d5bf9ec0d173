"""`stats.fisher_exact` against exact arithmetic and against scipy."""

import pytest
from scipy.stats import fisher_exact

from tests.stats import EXTREME_TABLES, Connect, Table, evaluate, query, random_tables

FLOOR = 1e-300


def exact_p(table: Table) -> float:
    """Two-sided p from whole numbers only.

    scipy is the reference for small tables only: it takes tables as tied within 1 + 1e-14 instead
    of 1 + 1e-7, and at 100,000 its errors (4e-11) are a hundred times ours. Weights start with
    2^2000 at the mode and follow the exact ratios outwards, so that they keep hundreds of digits
    wherever p is above 1e-300.
    """
    x1, n1, x2, n2 = table
    drawn = x1 + x2
    mode = (n1 + 1) * (drawn + 1) // (n1 + n2 + 2)
    weights = {mode: 1 << 2000}
    k, weight = mode, weights[mode]
    while weight and k < min(n1, drawn):
        weight = weight * (n1 - k) * (drawn - k) // ((k + 1) * (n2 - drawn + k + 1))
        k += 1
        weights[k] = weight
    k, weight = mode, weights[mode]
    while weight and k > max(0, drawn - n2):
        weight = weight * k * (n2 - drawn + k) // ((n1 - k + 1) * (drawn - k + 1))
        k -= 1
        weights[k] = weight
    limit = weights.get(x1, 0) * (10**7 + 1)
    tail = sum(weight for weight in weights.values() if weight * 10**7 <= limit)
    return tail / sum(weights.values())


def scipy_p(table: Table) -> float:
    x1, n1, x2, n2 = table
    return float(fisher_exact([[x1, n1 - x1], [x2, n2 - x2]]).pvalue)


def assert_exact(connect: Connect, tables: list[Table]) -> None:
    for table, (p,) in zip(tables, evaluate(connect, "fisher_exact", tables), strict=True):
        assert p == pytest.approx(max(exact_p(table), FLOOR), rel=1e-9, abs=0), table


@pytest.mark.parametrize(
    ("table", "p"),
    [
        ((3, 4, 1, 4), 34 / 70),  # Fisher's tea
        ((8, 10, 1, 6), 0.034965034965034975),  # scipy's documentation
        ((2, 17, 10, 13), 0.0005367241),  # convicted twins, R's documentation
        ((0, 10, 0, 20), 1.0),
        ((10, 10, 20, 20), 1.0),
        ((0, 1, 1, 1), 1.0),
    ],
)
def test_known_tables_have_their_published_p(connect: Connect, table: Table, p: float) -> None:
    assert evaluate(connect, "fisher_exact", [table])[0][0] == pytest.approx(p, rel=1e-6)


def test_every_table_with_up_to_eight_per_sample_is_exact(connect: Connect) -> None:
    assert_exact(
        connect,
        [
            (x1, n1, x2, n2)
            for n1 in range(1, 9)
            for n2 in range(1, 9)
            for x1 in range(n1 + 1)
            for x2 in range(n2 + 1)
        ],
    )


def test_random_tables_up_to_two_thousand_are_exact(connect: Connect) -> None:
    assert_exact(connect, random_tables(seed=1, count=800, largest=2_000))


def test_random_tables_up_to_a_hundred_thousand_are_exact(connect: Connect) -> None:
    assert_exact(connect, random_tables(seed=2, count=200, largest=100_000))


def test_extreme_tables_are_exact(connect: Connect) -> None:
    assert_exact(connect, [table for table in EXTREME_TABLES if max(table) < 100_000])


def test_extreme_tables_of_a_hundred_thousand_are_exact(connect: Connect) -> None:
    assert_exact(connect, [table for table in EXTREME_TABLES if max(table) == 100_000][::5])


def test_rare_events_in_a_hundred_thousand_are_exact(connect: Connect) -> None:
    assert_exact(
        connect,
        [(x1, 100_000, x2, n2) for x1 in range(0, 30, 3) for x2 in range(5) for n2 in (30, 99_999)],
    )


def test_tables_near_the_smallest_p_are_exact(connect: Connect) -> None:
    assert_exact(connect, [(x1, 100_000, 50_000, 100_000) for x1 in range(41_000, 42_500, 50)])


def test_equal_samples_count_the_mirror_image_as_a_tie(connect: Connect) -> None:
    """With n1 = n2 both tails are equally likely, whatever rounding says."""
    tables = [(50_000 - d, 100_000, 50_000 + d, 100_000) for d in (1, 2, 5, 50, 500, 2_000)]
    tables += [(x, n, n - x - 1, n) for n in (9, 99, 999, 9_999) for x in range(0, n, n // 9)]
    assert_exact(connect, tables)


def test_tables_likelier_by_less_than_one_in_ten_million_count_as_ties(connect: Connect) -> None:
    within, beyond = (38, 144, 20, 60), (226, 398, 225, 391)  # by 8.4e-8, by 5.4e-7
    assert_exact(connect, [within, beyond])
    (p_within,), (p_beyond,) = evaluate(connect, "fisher_exact", [within, beyond])
    assert p_within > 1.1 * scipy_p(within)
    assert p_beyond == pytest.approx(scipy_p(beyond), rel=1e-9)


def test_small_tables_agree_with_scipy(connect: Connect) -> None:
    tables = random_tables(seed=3, count=400, largest=500)
    for table, (p,) in zip(tables, evaluate(connect, "fisher_exact", tables), strict=True):
        assert p == pytest.approx(max(scipy_p(table), FLOOR), rel=1e-9, abs=0), table


def test_exchanging_samples_or_outcomes_changes_nothing(connect: Connect) -> None:
    tables = random_tables(seed=4, count=200, largest=100_000)
    samples = [(x2, n2, x1, n1) for x1, n1, x2, n2 in tables]
    outcomes = [(n1 - x1, n1, n2 - x2, n2) for x1, n1, x2, n2 in tables]
    expected = [pytest.approx(row, rel=1e-10) for row in evaluate(connect, "fisher_exact", tables)]
    assert evaluate(connect, "fisher_exact", samples) == expected
    assert evaluate(connect, "fisher_exact", outcomes) == expected


def test_hopeless_tables_stop_at_the_floor(connect: Connect) -> None:
    tables = [(0, 100_000, 100_000, 100_000), (0, 2_147_483_647, 2_147_483_647, 2_147_483_647)]
    assert evaluate(connect, "fisher_exact", tables) == [(FLOOR,), (FLOOR,)]


def test_null_in_any_argument_gives_null(connect: Connect) -> None:
    assert query(
        connect,
        """
        SELECT
            stats.fisher_exact(p_x1 => NULL, p_n1 => 1, p_x2 => 1, p_n2 => 1),
            stats.fisher_exact(p_x1 => 1, p_n1 => NULL, p_x2 => 1, p_n2 => 1),
            stats.fisher_exact(p_x1 => 1, p_n1 => 1, p_x2 => NULL, p_n2 => 1),
            stats.fisher_exact(p_x1 => 1, p_n1 => 1, p_x2 => 1, p_n2 => NULL)
        """,
    ) == [(None, None, None, None)]
