"""`stats.mann_whitney_z`: the signed z behind `stats.mann_whitney`."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import erfc

from tests.stats import Connect, query

BOTH = """
    SELECT f.u, f.z, f.effect, g.u, g.p_value, g.effect
    FROM
        stats.mann_whitney_z(p_values => %s, p_current => %s, p_baseline => %s) AS f,
        stats.mann_whitney(p_values => %s, p_current => %s, p_baseline => %s) AS g
"""


def z_of(
    connect: Connect, values: list[int], current: list[int], baseline: list[int]
) -> tuple[Any, ...]:
    """(u, z, effect), after checking them against what mann_whitney says."""
    arrays = (values, current, baseline)
    ((u, z, effect, *other),) = query(connect, BOTH, *arrays, *arrays)
    assert other == [
        u,
        pytest.approx(max(float(erfc(abs(z) / math.sqrt(2))), 1e-300), rel=1e-12),
        effect,
    ]
    return u, z, effect


def test_z_is_positive_where_current_is_larger(connect: Connect) -> None:
    assert z_of(connect, [1, 2], [10, 30], [30, 10])[1] > 0
    assert z_of(connect, [1, 2], [30, 10], [10, 30])[1] < 0


def test_exchanging_the_samples_only_turns_the_sign(connect: Connect) -> None:
    for seed in range(20):
        current, baseline = np.random.default_rng(seed).integers(1, 9, (2, 30)).tolist()
        values = list(range(30))
        z = z_of(connect, values, current, baseline)[1]
        assert z_of(connect, values, baseline, current)[1] == -z


def test_z_follows_the_formula(connect: Connect) -> None:
    """5 of 6 pairs with current above: u = 5, mean 3, variance 6 (5 + 1) / 12 = 3."""
    u, z, effect = z_of(connect, [1, 2, 3, 4, 5], [0, 1, 0, 1, 1], [1, 0, 1, 0, 0])
    assert (u, effect) == (5.0, pytest.approx(5 / 6))
    assert z == pytest.approx((5 - 3 - 0.5) / math.sqrt(3), rel=1e-15)


@pytest.mark.parametrize("count", [1, 7, 100_000])
def test_z_is_zero_when_all_values_are_tied(connect: Connect, count: int) -> None:
    assert z_of(connect, [4], [count], [count + 1])[1:] == (0.0, 0.5)


def test_the_continuity_correction_does_not_overshoot(connect: Connect) -> None:
    """Half a pair from the mean: z is 0, not of the opposite sign."""
    assert z_of(connect, [1, 2, 3], [0, 1, 0], [1, 0, 0])[1] == 0
    assert z_of(connect, [1, 2, 3], [1, 0, 0], [0, 1, 0])[1] == 0
