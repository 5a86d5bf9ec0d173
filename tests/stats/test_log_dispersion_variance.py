"""`stats.log_dispersion_variance` against scipy's trigamma function."""

import pytest
from scipy.special import polygamma

from tests.stats import Connect, query


def test_it_is_the_trigamma_function_of_half_the_degrees_of_freedom(connect: Connect) -> None:
    for df, found in query(
        connect,
        "SELECT d, stats.log_dispersion_variance(p_df => d) FROM generate_series(1, 100) AS d",
    ):
        # What the series leaves out begins with -1 / (30 (df / 2)^5).
        assert 0 <= found - float(polygamma(1, df / 2)) <= 16 / (15 * df**5) * (1 + 1e-6), df


def test_it_is_what_the_formula_says(connect: Connect) -> None:
    assert query(connect, "SELECT stats.log_dispersion_variance(p_df => 12)") == [
        (pytest.approx(2 / 12 + 2 / 144 + 4 / (3 * 1728), rel=1e-15),)
    ]


def test_without_degrees_of_freedom_there_is_none(connect: Connect) -> None:
    assert query(
        connect,
        "SELECT stats.log_dispersion_variance(p_df => 0),"
        " stats.log_dispersion_variance(p_df => NULL)",
    ) == [(None, None)]
