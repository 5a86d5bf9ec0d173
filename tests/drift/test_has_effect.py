"""`drift.has_effect`: whether a change is large enough to matter."""

from typing import Any

import psycopg2.extras
import pytest

from tests.database import Database

SETTINGS = {
    "min_rate_delta": 0.05,
    "min_rate_relative": 0.5,
    "min_days_delta": 3,
    "min_days_relative": 0.5,
}


@pytest.mark.parametrize(
    ("metric", "delta", "relative", "changes", "expected"),
    [
        ("DENIAL_RATE", 0.05, 0.1, {}, True),
        ("DENIAL_RATE", -0.05, -0.1, {}, True),
        ("DENIAL_RATE", 0.15 - 0.10, 0.1, {}, True),
        ("DENIAL_RATE", 0.05 - 1e-13, 0.1, {}, True),
        ("DENIAL_RATE", 0.05 - 1e-11, 0.1, {}, False),
        ("DENIAL_RATE", 0.01, 0.5, {}, True),
        ("DENIAL_RATE", -0.01, -0.5 + 1e-13, {}, True),
        ("DENIAL_RATE", 0.01, 0.5 - 1e-11, {}, False),
        ("DENIAL_RATE", 0.04, None, {}, False),
        ("DENIAL_RATE", 0.06, None, {}, True),
        ("DECISION_DAYS", 3, 0.1, {}, True),
        ("DECISION_DAYS", -2.5, -0.4, {}, False),
        ("DECISION_DAYS", 1, 0.5, {}, True),
        ("DECISION_DAYS", 2, None, {}, False),
        # No change is never an effect, however small the minimum.
        ("DENIAL_RATE", 0, 0, {"min_rate_delta": 0, "min_rate_relative": 0}, False),
        ("DENIAL_RATE", 1e-9, 1e-9, {"min_rate_delta": 0}, True),
        ("DENIAL_RATE", None, None, {}, None),
    ],
)
def test_either_minimum_is_enough(
    worker: Database,
    metric: str,
    delta: float | None,
    relative: float | None,
    changes: dict[str, Any],
    expected: bool | None,
) -> None:
    found = worker.value(
        """
        SELECT drift.has_effect(
            p_settings => jsonb_populate_record(NULL::drift_settings, %s),
            p_metric => %s, p_delta => %s, p_relative_delta => %s
        )
        """,
        psycopg2.extras.Json({**SETTINGS, **changes}),
        metric,
        delta,
        relative,
    )
    assert bool(found) is bool(expected)
