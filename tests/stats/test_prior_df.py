"""`stats.prior_df`: what the other groups' dispersion is worth."""

import math

import pytest
from scipy.special import polygamma

from tests.stats import Connect, query


def prior_df(connect: Connect, variance: float | None, groups: int) -> float:
    ((value,),) = query(
        connect, "SELECT stats.prior_df(p_variance => %s, p_groups => %s)", variance, groups
    )
    return float(value)


@pytest.mark.parametrize("variance", [0.045, 0.1, 0.3, 0.5, 0.62])
def test_it_solves_for_the_variance_that_was_found(connect: Connect, variance: float) -> None:
    df = prior_df(connect, variance, 10)

    assert df == pytest.approx((1 + math.sqrt(1 + 2 * variance)) / variance, rel=1e-15)
    # The first two terms of trigamma(df / 2), and so nearly all of it.
    assert 2 / df + 2 / df**2 == pytest.approx(variance, rel=1e-12)
    assert float(polygamma(1, df / 2)) == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(("variance", "df"), [(0.7, 4), (1e6, 4), (0.04, 50), (1e-12, 50)])
def test_it_stays_between_4_and_50(connect: Connect, variance: float, df: int) -> None:
    assert prior_df(connect, variance, 200) == df


@pytest.mark.parametrize("variance", [0.0, -0.1, None])
def test_groups_that_differ_by_chance_alone_are_worth_50(
    connect: Connect, variance: float | None
) -> None:
    assert prior_df(connect, variance, 200) == 50


def test_fewer_than_10_groups_do_not_tell(connect: Connect) -> None:
    assert prior_df(connect, 0.5, 10) < 10
    assert prior_df(connect, 0.5, 9) == prior_df(connect, 0.5, 0) == 50
