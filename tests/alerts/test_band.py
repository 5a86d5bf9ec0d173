"""`alerts.band`: the level that a severity stands for."""

import pytest

from tests.database import Database


@pytest.mark.parametrize(
    ("severity", "band"),
    [
        (0, "info"),
        (0.3999, "info"),
        (0.4, "warning"),
        (0.6999, "warning"),
        (0.7, "critical"),
        (1, "critical"),
        (None, None),
    ],
)
def test_bands_begin_at_their_lower_end(
    worker: Database, severity: float | None, band: str | None
) -> None:
    assert worker.value("SELECT alerts.band(%s)", severity) == band
