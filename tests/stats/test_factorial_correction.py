"""`stats.factorial_correction` against exact factorials."""

import math
from decimal import Decimal, localcontext

import pytest

from tests.stats import Connect, query

NUMBERS = [*range(60), 99, 100, 999, 1_000, 4_321]


def exact_correction(n: int) -> float:
    with localcontext(prec=60):
        number = Decimal(n)
        return float(
            Decimal(math.factorial(n)).ln() - (number * number.ln() - number if n else Decimal(0))
        )


def test_corrections_complete_the_factorial(connect: Connect) -> None:
    rows = query(
        connect,
        """
        SELECT stats.factorial_correction(p_n => c.n)
        FROM unnest(%s::bigint[]) WITH ORDINALITY AS c (n, i)
        ORDER BY c.i
        """,
        NUMBERS,
    )
    for n, (correction,) in zip(NUMBERS, rows, strict=True):
        assert correction == pytest.approx(exact_correction(n), rel=0, abs=2e-14), n


def test_four_billion_is_fine(connect: Connect) -> None:
    ((correction,),) = query(connect, "SELECT stats.factorial_correction(p_n => 4294967294)")
    n = 4294967294
    expected = 0.5 * math.log(2 * math.pi * n) + 1 / (12 * n)
    assert correction == pytest.approx(expected, rel=0, abs=2e-14)
