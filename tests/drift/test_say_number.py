"""`drift.say_number`: numbers for people to read."""

import pytest

from tests.database import Database


@pytest.mark.parametrize(
    ("number", "metric", "said"),
    [
        (0.1, "DENIAL_RATE", "10.0 %"),
        (0.0, "DENIAL_RATE", "0.0 %"),
        (1.0, "DENIAL_RATE", "100.0 %"),
        (0.0005, "DENIAL_RATE", "0.1 %"),
        (10, "DECISION_DAYS", "10 days"),
        (12.5, "DECISION_DAYS", "12.5 days"),
        (0, "SILENCE", "0 days"),
        (300, "SILENCE", "300 days"),
        (0, None, "0"),
        (1, None, "1"),
        (-2.25, None, "-2.25"),
        (0.0010, None, "0.001"),
        (1234.5678, None, "1234.568"),
        (1.234e-6, None, "1.2e-6"),
        (-4e-12, None, "-4.0e-12"),
        (1e-300, None, "1.0e-300"),
        (None, "DENIAL_RATE", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_examples(worker: Database, number: float | None, metric: str | None, said: str) -> None:
    assert (
        worker.value("SELECT drift.say_number(p_number => %s, p_metric => %s)", number, metric)
        == said
    )
