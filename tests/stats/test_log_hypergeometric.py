"""`stats.log_hypergeometric` against exact binomial coefficients."""

import math
from decimal import Decimal, localcontext

import pytest

from tests.stats import Connect, Table, query, random_tables


def exact_logarithm(a: int, b: int, c: int, d: int) -> float:
    numerator = math.comb(a + b, a) * math.comb(c + d, c)
    with localcontext(prec=60):
        return float((Decimal(numerator) / Decimal(math.comb(a + b + c + d, a + c))).ln())


def test_logarithms_are_exact_for_all_likely_tables(connect: Connect) -> None:
    tables: list[Table] = [
        (x1, n1 - x1, x2, n2 - x2)
        for x1, n1, x2, n2 in random_tables(seed=1, count=400, largest=3_000)
        if 0 < x1 + x2 < n1 + n2
    ]
    rows = query(
        connect,
        """
        SELECT stats.log_hypergeometric(p_a => t.a, p_b => t.b, p_c => t.c, p_d => t.d)
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) WITH ORDINALITY
            AS t (a, b, c, d, i)
        ORDER BY t.i
        """,
        *([table[column] for table in tables] for column in range(4)),
    )
    for table, (logarithm,) in zip(tables, rows, strict=True):
        expected = exact_logarithm(*table)
        assert logarithm == pytest.approx(expected, rel=1e-14, abs=1e-11), table
