"""`stats.hypergeometric_tail` against exact binomial coefficients."""

from fractions import Fraction
from math import comb

import pytest

from tests.stats import Connect, query


def exact_tail(a: int, b: int, c: int, d: int) -> float:
    weights = [comb(a + b, k) * comb(c + d, a + c - k) for k in range(max(0, a - d), a + 1)]
    return float(Fraction(sum(weights), weights[-1]))


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [
        (0, 5, 3, 4),
        (3, 4, 5, 0),
        (1, 1, 1, 1),
        (30, 70, 40, 60),
        (500, 500, 500, 500),
        (2, 998, 9, 991),
        (90, 10, 1_999, 1),
    ],
)
def test_tails_are_multiples_of_their_first_table(
    connect: Connect, a: int, b: int, c: int, d: int
) -> None:
    assert query(
        connect,
        "SELECT stats.hypergeometric_tail(p_a => %s, p_b => %s, p_c => %s, p_d => %s)",
        a,
        b,
        c,
        d,
    ) == [(pytest.approx(exact_tail(a, b, c, d), rel=1e-13),)]
