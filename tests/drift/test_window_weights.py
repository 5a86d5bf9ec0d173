"""`drift.window_weights`: which current windows there are, and their share of the error rate."""

import pytest

from tests.database import Database

THREE = [(14, 0.6), (28, 0.2), (56, 0.2)]
TWO = [(14, 0.7), (28, 0.3)]
ONE = [(14, 1.0)]


@pytest.mark.parametrize(
    ("guard_days", "windows"),
    [(180, THREE), (56, THREE), (55, TWO), (28, TWO), (27, ONE), (14, ONE), (None, ONE)],
)
def test_none_is_longer_than_the_guard_band(
    worker: Database, guard_days: int | None, windows: list[tuple[int, float]]
) -> None:
    rows = worker.execute(
        "SELECT days, weight FROM drift.window_weights(p_guard_days => %s) ORDER BY days",
        guard_days,
    )

    assert rows == windows
    assert sum(weight for _, weight in rows) == pytest.approx(1)
