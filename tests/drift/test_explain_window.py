"""`drift.explain_window`: one sentence on the test of one window."""

import json
from typing import Any

import pytest

from tests.database import Database

WINDOW: dict[str, Any] = {
    **{"days": 14, "weight": 0.6, "x": 42, "n": 140, "delta": 0.2, "has_effect": True},
    **{"phi": 1.5, "z": 5.85, "p_t": 1.2e-6, "p_fisher": None, "p": 1.2e-6, "p_combined": 2e-6},
}
UNTESTED = dict.fromkeys(("phi", "z", "p_t", "p", "p_combined"))


@pytest.mark.parametrize(
    ("metric", "change", "said"),
    [
        (
            "DENIAL_RATE",
            {},
            "Last 14 days: 42 of 140 lines denied, 20.0 points up; z = 5.85 with dispersion 1.5,"
            " p = 1.2e-6, with its share of 0.6 of the error rate 2.0e-6.",
        ),
        (
            "DENIAL_RATE",
            {"delta": -0.031, "has_effect": False, "p_combined": 1},
            "Last 14 days: 42 of 140 lines denied, 3.1 points down, too little to matter;"
            " z = 5.85 with dispersion 1.5, p = 1.2e-6.",
        ),
        (
            "DENIAL_RATE",
            {"p_fisher": 0.002, "p": 0.002, "p_combined": 0.00333},
            "Last 14 days: 42 of 140 lines denied, 20.0 points up; z = 5.85 with dispersion 1.5,"
            " p = 0.002 (t 1.2e-6, Fisher 0.002), with its share of 0.6 of the error rate 0.003.",
        ),
        (
            "DECISION_DAYS",
            {"delta": 4.5, "weight": 1, "p_combined": 1.2e-6},
            "Last 14 days: 42 of 140 lines slower than the median, 4.5 days up; z = 5.85 with"
            " dispersion 1.5, p = 1.2e-6.",
        ),
        ("DENIAL_RATE", {"n": 29}, "Last 14 days: 29 lines, fewer than 30: not tested."),
        ("DENIAL_RATE", {"n": 0, **UNTESTED}, "Last 14 days: 0 lines, fewer than 30: not tested."),
        ("DENIAL_RATE", UNTESTED, "Last 14 days: 140 lines, not tested."),
    ],
)
def test_examples(worker: Database, metric: str, change: dict[str, Any], said: str) -> None:
    assert (
        worker.value(
            "SELECT drift.explain_window(p_metric => %s, p_window => %s, p_min_volume => 30)",
            metric,
            json.dumps(WINDOW | change),
        )
        == said
    )
