"""`drift.p_value`: the normal approximation, and Fisher's exact test where counts are small."""

import pytest

from tests.database import Database
from tests.drift.oracle import normal_p, rate_p, rate_z


def p_value(worker: Database, metric: str, z: float | None, *counts: int | None) -> float | None:
    found: float | None = worker.value(
        "SELECT drift.p_value(p_metric => %s, p_z => %s, p_x1 => %s, p_n1 => %s, p_x0 => %s,"
        " p_n0 => %s)",
        metric,
        z,
        *counts,
    )
    return found


@pytest.mark.parametrize(
    "counts",
    [
        (9, 30, 30, 900),
        (0, 30, 300, 300),
        (30, 30, 0, 300),
        (0, 30, 0, 30),
        (1, 1, 0, 1),
        (100, 400, 800, 4000),
        (0, 3000, 1500, 3000),
        (100_000, 200_000, 0, 200_000),
        # The smallest expected count is 10, and just below it.
        (10, 100, 90, 900),
        (9, 100, 90, 900),
    ],
)
def test_the_larger_p_counts(worker: Database, counts: tuple[int, int, int, int]) -> None:
    found = p_value(worker, "DENIAL_RATE", rate_z(*counts), *counts)

    assert found == pytest.approx(rate_p(*counts), rel=1e-9)


def test_durations_have_no_exact_test(worker: Database) -> None:
    assert p_value(worker, "DECISION_DAYS", 3.0, 1, 30, 1, 30) == pytest.approx(
        normal_p(3.0), rel=1e-12
    )


def test_p_has_a_floor(worker: Database) -> None:
    for z in (40.0, -1000.0, 1e300):
        assert p_value(worker, "DECISION_DAYS", z, 1, 30, 1, 30) == 1e-300


def test_without_z_there_is_no_p(worker: Database) -> None:
    assert p_value(worker, "DENIAL_RATE", None, 1, 30, 1, 30) is None
