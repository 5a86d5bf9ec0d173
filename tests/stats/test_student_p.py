"""`stats.student_p` against Wallace's formula and scipy's Student's t."""

import math

import numpy as np
import pytest
from scipy.special import erfc
from scipy.stats import t as student

from tests.stats import Connect, query

DFS = [4.0, 5.5, 6.0, 8.0, 12.0, 17.0, 30.5, 60.0, 500.0]


def p_values(connect: Connect, cases: list[tuple[float, float]]) -> list[float]:
    """For each z and its degrees of freedom."""
    rows = query(
        connect,
        """
        SELECT stats.student_p(p_z => c.z, p_df => c.df)
        FROM unnest(%s::double precision[], %s::double precision[])
            WITH ORDINALITY AS c (z, df, i)
        ORDER BY c.i
        """,
        [z for z, _ in cases],
        [df for _, df in cases],
    )
    return [value for (value,) in rows]


def test_it_is_wallaces_formula(connect: Connect) -> None:
    cases = [(float(z), df) for df in DFS for z in np.linspace(-12, 12, 49)]
    for (z, df), found in zip(cases, p_values(connect, cases), strict=True):
        bound = (8 * df + 1) / (8 * df + 3) * math.sqrt(df * math.log(1 + z * z / df))
        assert found == pytest.approx(float(erfc(bound / math.sqrt(2))), rel=1e-12), (z, df)


def test_at_one_percent_it_is_within_2_percent_of_students_t(connect: Connect) -> None:
    cases = [(float(student.isf(0.005, df)), df) for df in DFS if df >= 6]
    for case, found in zip(cases, p_values(connect, cases), strict=True):
        # With 6 degrees of freedom it is 2.1 %.
        assert found == pytest.approx(0.01, rel=0.0215), case


@pytest.mark.parametrize("p", [1e-3, 1e-5, 1e-8, 1e-12])
def test_further_out_it_errs_on_the_larger_side(connect: Connect, p: float) -> None:
    cases = [(float(student.isf(p / 2, df)), df) for df in DFS]
    assert all(p < found for found in p_values(connect, cases))


def test_it_comes_near_the_normal_distribution(connect: Connect) -> None:
    [found] = p_values(connect, [(2.5, 1e9)])
    assert found == pytest.approx(float(erfc(2.5 / math.sqrt(2))), rel=1e-6)


def test_larger_z_and_more_degrees_of_freedom_are_less_likely(connect: Connect) -> None:
    steps = [float(z) for z in np.geomspace(0.01, 50, 200)]
    for df in DFS:
        found = p_values(connect, [(z, df) for z in steps])
        assert found == sorted(found, reverse=True), df
        assert found[0] < 1
    found = p_values(connect, [(3.0, df) for df in DFS])
    assert found == sorted(found, reverse=True)


def test_both_tails_count(connect: Connect) -> None:
    assert p_values(connect, [(1.5, 12)]) == p_values(connect, [(-1.5, 12)])
    assert p_values(connect, [(0, 12)]) == [1.0]


def test_it_never_is_below_1e_300(connect: Connect) -> None:
    far = p_values(connect, [(1e3, 1e4), (-1e6, 1e6), (1e150, 4.0), (1e150, 1e6)])

    assert all(1e-300 <= p < 1e-100 for p in far)
    assert far[1] == 1e-300


def test_null_gives_null(connect: Connect) -> None:
    assert query(
        connect,
        "SELECT stats.student_p(p_z => NULL, p_df => 12), stats.student_p(p_z => 1, p_df => NULL)",
    ) == [(None, None)]
