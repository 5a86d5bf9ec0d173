"""`stats.wilson_margin` against statsmodels."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.stats import Connect, query

COUNTS = [(x, n) for n in (1, 2, 10, 999, 100_000) for x in {0, 1, n // 3, n - 1, n}]


def test_margins_lead_to_both_ends_of_wilsons_interval(connect: Connect) -> None:
    rows = query(
        connect,
        """
        SELECT
            c.x::double precision / c.n - stats.wilson_margin(p_x => c.x, p_n => c.n),
            c.x::double precision / c.n + stats.wilson_margin(p_x => c.n - c.x, p_n => c.n)
        FROM unnest(%s::int[], %s::int[]) WITH ORDINALITY AS c (x, n, i)
        ORDER BY c.i
        """,
        [x for x, _ in COUNTS],
        [n for _, n in COUNTS],
    )
    for (x, n), row in zip(COUNTS, rows, strict=True):
        assert row == pytest.approx(
            proportion_confint(x, n, method="wilson"), rel=1e-9, abs=1e-15
        ), (x, n)


def test_the_lower_margin_of_nothing_is_exactly_zero(connect: Connect) -> None:
    assert query(
        connect,
        "SELECT max(stats.wilson_margin(p_x => 0, p_n => n)) FROM generate_series(1, 5000) AS n",
    ) == [(0.0,)]
