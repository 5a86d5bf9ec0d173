"""`stats.moderated_dispersion`: a group's own dispersion, and what the others say about it."""

import pytest

from tests.stats import Connect, query

Arguments = tuple[float | None, float | None, float, float, int | None]


def moderated(connect: Connect, *arguments: float | None) -> float:
    """Of own dispersion and its df, prior dispersion and its df, members of the bin."""
    ((value,),) = query(
        connect,
        "SELECT stats.moderated_dispersion(p_own => %s, p_df => %s, p_prior => %s,"
        " p_prior_df => %s, p_members => %s)",
        *arguments,
    )
    return float(value)


def test_it_is_the_mean_weighted_by_degrees_of_freedom(connect: Connect) -> None:
    assert moderated(connect, 3.0, 12, 1.5, 6, 10) == pytest.approx((12 * 3 + 6 * 1.5) / 18)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # A calm group among noisy ones is as noisy as they are.
        ((0.2, 12, 1.8, 6, 10), 1.8),
        # The only one of its bin is judged by itself, and never taken for calmer than chance.
        ((0.2, 12, 1.8, 6, 1), 1.0),
        ((4.0, 12, 1.0, 0, 1), 4.0),
        # Those who have no bin at all.
        ((4.0, 12, 1.0, 0, 0), 4.0),
        ((4.0, 12, 1.0, 0, None), 4.0),
        # No upper limit.
        ((90.0, 12, 1.0, 0, 1), 90.0),
        # Its own can't be told.
        ((None, 0, 1.7, 30, 10), 1.7),
        ((None, None, 1.7, 30, 1), 1.7),
        ((None, 12, 1.0, 0, None), 1.0),
    ],
)
def test_its_limits(connect: Connect, arguments: Arguments, expected: float) -> None:
    assert moderated(connect, *arguments) == pytest.approx(expected, rel=1e-15)
