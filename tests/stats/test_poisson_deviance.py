"""`stats.poisson_deviance` against arithmetic with 60 digits."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from tests.stats import Connect, query


def exact_deviance(x: float, excess: float) -> float:
    with localcontext(prec=60):
        count, mean = Decimal(x), Decimal(x) - Decimal(excess)
        return float((count * (count / mean).ln() if x else 0) - Decimal(excess))


def test_deviances_are_exact_near_and_far_from_the_mean(connect: Connect) -> None:
    random = np.random.default_rng(1)
    counts = [round(100_000**share) for share in random.random(1_000)]
    means = [
        count * (1 + 10.0**power * (1 if power < -1 else -0.9))
        for count, power in zip(counts, random.uniform(-8, 0, 1_000), strict=True)
    ]
    counts += [0, 0, 1, 100_000, 7]
    means += [1e-3, 1e5, 1e5, 1.0, 7.0]
    # The difference is what the function is given, so the reference starts there too.
    excesses = [float(count - mean) for count, mean in zip(counts, means, strict=True)]
    rows = query(
        connect,
        """
        SELECT stats.poisson_deviance(p_x => c.x, p_excess => c.excess)
        FROM unnest(%s::double precision[], %s::double precision[]) WITH ORDINALITY
            AS c (x, excess, i)
        ORDER BY c.i
        """,
        counts,
        excesses,
    )
    for count, excess, (deviance,) in zip(counts, excesses, rows, strict=True):
        expected = exact_deviance(count, excess)
        assert deviance == pytest.approx(expected, rel=1e-13, abs=0), (count, excess)
