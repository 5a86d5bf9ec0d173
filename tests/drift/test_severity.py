"""`drift.severity`: how grave a change is, by its size alone."""

import pytest

from tests.database import Database


@pytest.mark.parametrize(
    ("method", "metric", "before", "after", "severity"),
    [
        ("significance", "DENIAL_RATE", 0.10, 0.20, 0.4),
        ("significance", "DENIAL_RATE", 0.10, 0.30, 0.8),
        ("significance", "DENIAL_RATE", 0.005, 0.02, 0.09),
        ("significance", "DENIAL_RATE", 0.20, 0.10, 0.2),
        ("significance", "DENIAL_RATE", 0.50, 0.90, 0.8),
        ("significance", "DENIAL_RATE", 0.10, 0.90, 1),
        ("significance", "DENIAL_RATE", 0.10, 0.10, 0),
        # From nothing: relatively infinite.
        ("significance", "DENIAL_RATE", 0.0, 0.05, 0.3),
        ("significance", "DECISION_DAYS", 10, 14, 0.4),
        ("significance", "DECISION_DAYS", 14, 10, 0.4),
        ("significance", "DECISION_DAYS", 0, 30, 1),
        ("threshold", "DENIAL_RATE", 0.10, 0.20, 0.2),
        ("threshold", "DENIAL_RATE", 0.10, 0.90, 1),
        ("threshold", "DECISION_DAYS", 10, 14, 0.4),
        # Four weeks longer silent than ever.
        ("significance", "SILENCE", 0, 14, 0.5),
        ("significance", "SILENCE", 20, 21, 1 / 28),
        ("significance", "SILENCE", 3, 31, 1),
        ("threshold", "SILENCE", 0, 300, 1),
    ],
)
def test_examples(
    worker: Database, method: str, metric: str, before: float, after: float, severity: float
) -> None:
    found = worker.value(
        "SELECT drift.severity(p_method => %s, p_metric => %s, p_delta => %s,"
        " p_relative_delta => %s)",
        method,
        metric,
        after - before,
        (after - before) / before if before else None,
    )
    assert found == pytest.approx(severity, abs=1e-12)


def test_no_delta_no_severity(worker: Database) -> None:
    assert worker.value("SELECT drift.severity('significance', 'DENIAL_RATE', NULL, NULL)") is None
