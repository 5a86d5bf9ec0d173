"""`stats.mann_whitney` against scipy and against exact arithmetic."""

import math
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import pytest
from scipy.special import erfc
from scipy.stats import mannwhitneyu

from tests.stats import Connect, query

# value -> (count in current, count in baseline)
Histogram: TypeAlias = dict[int, tuple[int, int]]

FLOOR = 1e-300


def mann_whitney(connect: Connect, histograms: list[Histogram]) -> list[tuple[Any, ...]]:
    """(u, p, effect) of each; arrays of different lengths travel as text."""

    def write(numbers: list[int]) -> str:
        return "{" + ",".join(map(str, numbers)) + "}"

    rows = query(
        connect,
        """
        SELECT f.u, f.p_value, f.effect
        FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY
            AS h (values, current, baseline, i)
        CROSS JOIN LATERAL stats.mann_whitney(
            p_values => h.values::int[],
            p_current => h.current::int[],
            p_baseline => h.baseline::int[]
        ) AS f
        ORDER BY h.i
        """,
        [write(list(histogram)) for histogram in histograms],
        [write([current for current, _ in histogram.values()]) for histogram in histograms],
        [write([baseline for _, baseline in histogram.values()]) for histogram in histograms],
    )
    assert len(rows) == len(histograms)
    return rows


def exact_result(histogram: Histogram) -> tuple[float, float, float]:
    """From fractions: scipy needs every single observation, and loses digits when most are tied."""
    n1 = sum(current for current, _ in histogram.values())
    n2 = sum(baseline for _, baseline in histogram.values())
    n = n1 + n2
    double_u = below = 0
    for _, (current, baseline) in sorted(histogram.items()):
        double_u += current * (2 * below + baseline)
        below += baseline
    ties = sum((c + b) ** 3 - (c + b) for c, b in histogram.values())
    variance = Fraction(n1 * n2, 12) * (n + 1 - Fraction(ties, n * (n - 1)))
    distance = max(Fraction(0), abs(Fraction(double_u - n1 * n2, 2)) - Fraction(1, 2))
    p = float(erfc(math.sqrt(distance**2 / variance / 2))) if variance else 1.0
    return double_u / 2, max(p, FLOOR), float(Fraction(double_u, 2 * n1 * n2))


def random_histogram(random: np.random.Generator, buckets: int, most: int) -> Histogram:
    values = random.permutation(3 * buckets)[:buckets] - buckets
    counts = random.integers(0, random.integers(1, most + 1, size=2) + 1, size=(buckets, 2))
    counts[0] += 1
    if random.random() < 0.3:
        # Nearly everything is tied.
        counts[random.integers(buckets)] += 50 * most
    return {
        int(value): (int(current), int(baseline))
        for value, (current, baseline) in zip(values, counts, strict=True)
    }


def assert_exact(connect: Connect, histograms: list[Histogram]) -> None:
    rows = mann_whitney(connect, histograms)
    for histogram, row in zip(histograms, rows, strict=True):
        assert row == pytest.approx(exact_result(histogram), rel=1e-9, abs=0), histogram


def test_random_histograms_agree_with_scipy(connect: Connect) -> None:
    random = np.random.default_rng(1)
    histograms = [random_histogram(random, buckets=2 + i % 40, most=1 + i % 9) for i in range(400)]
    rows = mann_whitney(connect, histograms)
    for histogram, (u, p, effect) in zip(histograms, rows, strict=True):
        values = list(histogram)
        current = np.repeat(values, [current for current, _ in histogram.values()])
        baseline = np.repeat(values, [baseline for _, baseline in histogram.values()])
        expected = mannwhitneyu(current, baseline, use_continuity=True, method="asymptotic")
        assert u == expected.statistic
        assert p == pytest.approx(expected.pvalue, rel=1e-9, abs=0), histogram
        assert effect == pytest.approx(u / (len(current) * len(baseline)), rel=1e-12)


def test_random_histograms_are_exact(connect: Connect) -> None:
    random = np.random.default_rng(2)
    assert_exact(
        connect, [random_histogram(random, buckets=1 + i % 90, most=20) for i in range(400)]
    )


def test_histograms_with_counts_up_to_a_million_are_exact(connect: Connect) -> None:
    random = np.random.default_rng(3)
    histograms = [random_histogram(random, 2 + i % 300, most=10**6 // 50) for i in range(100)]
    # A small shift of a large histogram, where p is neither 0 nor 1.
    for shift in (1, 30, 300, 3_000):
        histogram = dict.fromkeys(range(120), (10**6, 10**6))
        histogram[0] = (10**6 - shift, 10**6)
        histogram[119] = (10**6 + shift, 10**6)
        histograms.append(histogram)
    assert_exact(connect, histograms)


def test_counts_of_two_billion_are_exact(connect: Connect) -> None:
    most = 2_147_483_647
    assert_exact(
        connect,
        [
            dict.fromkeys(range(50), (most, most)),
            {1: (most, most), 2: (most, most - 90_000)},
            {1: (most, 0), 2: (0, most)},
            {1: (1, most), 2: (0, 1)},
        ],
    )


@pytest.mark.parametrize(
    "histogram",
    [
        {5: (1, 1)},
        {5: (100_000, 3)},
        {5: (1, 0), 6: (0, 1)},
        {6: (1, 0), 5: (0, 1)},
        {1: (1, 0), 2: (0, 100_000)},
        {-2_147_483_648: (1, 0), 2_147_483_647: (0, 1)},
        {1: (0, 0), 2: (3, 4), 3: (0, 0)},
        {1: (1, 1), 2: (1, 1), 3: (1, 1)},
    ],
)
def test_small_and_lopsided_histograms_are_exact(connect: Connect, histogram: Histogram) -> None:
    assert_exact(connect, [histogram])


@pytest.mark.parametrize(
    "histogram", [{5: (1, 1)}, {0: (100_000, 100_000)}, {9: (7, 1), 1: (0, 0)}]
)
def test_all_tied_gives_p_one(connect: Connect, histogram: Histogram) -> None:
    ((_, p, effect),) = mann_whitney(connect, [histogram])
    assert (p, effect) == (1.0, 0.5)


def test_disjoint_samples_stop_at_the_floor(connect: Connect) -> None:
    assert mann_whitney(connect, [{1: (0, 10**6), 2: (10**6, 0)}]) == [(1e12, FLOOR, 1.0)]


def test_the_order_of_the_values_does_not_matter(connect: Connect) -> None:
    random = np.random.default_rng(4)
    histograms = [random_histogram(random, buckets=20, most=9) for _ in range(50)]
    ordered = [dict(sorted(histogram.items())) for histogram in histograms]
    assert mann_whitney(connect, histograms) == mann_whitney(connect, ordered)


def test_exchanging_the_samples_mirrors_the_effect(connect: Connect) -> None:
    random = np.random.default_rng(5)
    histograms = [random_histogram(random, buckets=20, most=9) for _ in range(50)]
    mirrored = [{value: (b, c) for value, (c, b) in histogram.items()} for histogram in histograms]
    assert [(p, pytest.approx(1 - effect)) for _, p, effect in mann_whitney(connect, mirrored)] == [
        (p, effect) for _, p, effect in mann_whitney(connect, histograms)
    ]


@pytest.mark.parametrize("missing", range(3))
def test_a_null_array_gives_no_row(connect: Connect, missing: int) -> None:
    arrays = [None if position == missing else [1] for position in range(3)]
    assert not query(
        connect,
        """
        SELECT * FROM stats.mann_whitney(
            p_values => %s::int[], p_current => %s::int[], p_baseline => %s::int[]
        )
        """,
        *arrays,
    )
