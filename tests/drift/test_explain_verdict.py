"""`drift.explain_verdict`: one sentence on what a measurement came to."""

import json
from typing import Any

import pytest

from tests.database import Database

FIGURES: dict[str, Any] = {
    **{"metric": "DENIAL_RATE", "cpt_group_id": 1, "sufficient": True, "drifted": False},
    **{"direction": "up", "may_open": True, "severity": 0.8, "confidence": 0.99, "p_value": 0.3},
    **{"baseline_n": 900, "current_n": 70, "window_days": 14},
}
SILENCE = {"metric": "SILENCE", "cpt_group_id": None, "p_value": None, "confidence": None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drifted": True}, "drifted up, severity 0.8, confidence 0.99."),
        ({"drifted": True, "confidence": None}, "drifted up, severity 0.8."),
        (
            {"drifted": True, "may_open": False},
            "drifted up, severity 0.8, confidence 0.99. The day is no look, and not even a tenth"
            " of the limit was undercut: no alert opens for it until the next look.",
        ),
        ({}, "no drift, chance and the usual ups and downs explain the change."),
        ({"p_value": 1}, "no drift, the change is too small to matter."),
        ({"p_value": None}, "no drift, the change is too small to matter."),
        (
            {"p_value": 1, "cpt_group_id": None},
            "no drift, the change is too small to matter, or no more than one group's.",
        ),
        (
            {"sufficient": False, "current_n": 9},
            "insufficient, with 900 lines in the baseline and 9 in the last 14 days; 30 are"
            " needed in both.",
        ),
        (
            SILENCE | {"sufficient": False, "current_n": 0},
            "unknown, since no other payer decided anything either.",
        ),
        (SILENCE | {"sufficient": False, "current_n": 5}, "not silent."),
        (SILENCE, "not silent."),
        (SILENCE | {"current_n": 0}, "no drift, it has been silent for as long before."),
        (SILENCE | {"current_n": 0, "drifted": True}, "drifted up, severity 0.8."),
    ],
)
def test_examples(worker: Database, change: dict[str, Any], said: str) -> None:
    found = worker.value(
        "SELECT drift.explain_verdict("
        "p_figures => jsonb_populate_record(NULL::drift_measurement, %s), p_parameters => %s)",
        json.dumps(FIGURES | change),
        json.dumps({"min_volume": 30}),
    )
    assert found == f"Verdict: {said}"
