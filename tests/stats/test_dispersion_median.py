"""`stats.dispersion_median` against the median of chi-squared."""

import pytest
from scipy.stats import chi2

from tests.stats import Connect, query


def medians(connect: Connect, dfs: list[int]) -> list[float]:
    rows = query(
        connect,
        "SELECT stats.dispersion_median(p_df => d.df)"
        " FROM unnest(%s::double precision[]) WITH ORDINALITY AS d (df, i) ORDER BY d.i",
        dfs,
    )
    return [value for (value,) in rows]


def test_it_is_wilson_and_hilfertys_formula(connect: Connect) -> None:
    dfs = list(range(1, 60))
    assert medians(connect, dfs) == pytest.approx([(1 - 2 / (9 * d)) ** 3 for d in dfs], rel=1e-15)


def test_it_is_nearly_the_median_of_chi_squared_over_its_degrees_of_freedom(
    connect: Connect,
) -> None:
    dfs = list(range(1, 60))
    for df, found in zip(dfs, medians(connect, dfs), strict=True):
        assert found == pytest.approx(chi2.median(df) / df, rel=0.04 / df), df


def test_without_degrees_of_freedom_there_is_none(connect: Connect) -> None:
    assert query(
        connect,
        "SELECT stats.dispersion_median(p_df => 0), stats.dispersion_median(p_df => NULL)",
    ) == [(None, None)]
