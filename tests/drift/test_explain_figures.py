"""`drift.explain_figures`: what a measurement says, as sentences."""

import json
from typing import Any

import pytest

from tests.database import Database

WINDOW = {"days": 14, "weight": 1, "x": 42, "n": 29}
FIGURES: dict[str, Any] = {
    **{"metric": "DENIAL_RATE", "cpt_group_id": 1, "sufficient": True, "drifted": False},
    **{"baseline_n": 1820, "baseline_x": 182, "baseline_value": 0.1},
    **{"baseline_start": "2025-10-06", "baseline_end": "2026-04-05"},
    **{"current_n": 140, "current_x": 42, "current_value": 0.3, "window_days": 14},
    **{"phi_own": 1.31, "phi_prior": 1.1, "d0": 50, "nu": 62, "dispersion": 1.14},
    **{"p_value": 0.02, "q_value": 0.2, "windows": [WINDOW, WINDOW | {"days": 28}]},
}
PARAMETERS = {"min_volume": 30, "false_discovery_rate": 0.05}
SILENCE = {
    **{"metric": "SILENCE", "cpt_group_id": None, "phi_prior": None, "p_value": None},
    **{"q_value": None, "windows": None, "current_n": 0, "drifted": True},
    **{"severity": 0.5, "direction": "up", "may_open": True},
}


def explain(worker: Database, **change: Any) -> list[str]:
    lines: list[str | None] = worker.value(
        "SELECT drift.explain_figures("
        "p_figures => jsonb_populate_record(NULL::drift_measurement, %s), p_parameters => %s)",
        json.dumps(FIGURES | change),
        json.dumps(PARAMETERS),
    )
    return [line for line in lines if line is not None]


def test_a_rate(worker: Database) -> None:
    assert explain(worker) == [
        "Denial rate: 10.0 % in the baseline (182 of 1820 lines, 2025-10-06 to 2026-04-05),"
        " 30.0 % in the last 14 days.",
        "Its own ups and downs from fortnight to fortnight are 1.31 times as large as chance alone"
        " would make them; those of similar groups are 1.1 times as large, which counts for 50"
        " fortnights. Tests use a t distribution with 62 degrees of freedom.",
        "Last 14 days: 29 lines, fewer than 30: not tested.",
        "Last 28 days: 29 lines, fewer than 30: not tested.",
        "The 14 days window counts: p = 0.02, and among all groups q = 0.2, limit 0.05.",
        "Verdict: no drift, chance and the usual ups and downs explain the change.",
    ]


def test_days(worker: Database) -> None:
    first, *_ = explain(
        worker, metric="DECISION_DAYS", baseline_value=10, current_value=12.5, windows=None
    )

    assert first == (
        "Median days to a decision: 10 days in the baseline"
        " (1820 lines, 2025-10-06 to 2026-04-05), 12.5 days in the last 14 days."
    )


def test_a_group_with_a_live_alert(worker: Database) -> None:
    lines = explain(worker, frozen_alert_id=7, phi_own=None, phi_prior=None, windows=None)

    assert lines == [
        "Denial rate: 10.0 % in the baseline (182 of 1820 lines, 2025-10-06 to 2026-04-05;"
        " frozen when alert 7 opened), 30.0 % in the last 14 days.",
        "p = 0.02, outside the family of groups that compete for alerts.",
        "Verdict: no drift, chance and the usual ups and downs explain the change.",
    ]


@pytest.mark.parametrize(("rate", "limit"), [(0.05, "0.01"), (0.005, "0.005")])
def test_a_payer_as_a_whole(
    worker: Database, monkeypatch: pytest.MonkeyPatch, rate: float, limit: str
) -> None:
    monkeypatch.setitem(PARAMETERS, "false_discovery_rate", rate)

    lines = explain(worker, cpt_group_id=None, phi_prior=None, windows=None)

    assert lines[1] == (
        f"The 14 days window counts: p = 0.02, and among all payers q = 0.2, limit {limit}."
    )


def test_a_silence(worker: Database) -> None:
    assert explain(worker, **SILENCE, baseline_value=3, current_value=17) == [
        "Silence: 1820 lines decided from 2025-10-06 to 2026-04-05, 0 in the last 14 days.",
        "Nothing decided for 17 days; the longest time in the baseline was 3 days.",
        "Verdict: drifted up, severity 0.5.",
    ]


def test_own_ups_and_downs_that_are_unknown(worker: Database) -> None:
    line = explain(worker, phi_own=None)[1]

    assert "fortnight to fortnight can't be told; those of similar groups are 1.1" in line
    assert "unstable" not in line


def test_a_dispersion_above_5_is_unstable(worker: Database) -> None:
    assert explain(worker, dispersion=5.01)[1].endswith("It is unstable.")


def test_without_a_baseline_it_says_why(worker: Database) -> None:
    first, *_ = explain(
        worker,
        **{"sufficient": False, "baseline_n": 0, "baseline_x": 0, "baseline_value": None},
        **{"baseline_start": None, "baseline_end": None},
    )

    assert first == (
        "Denial rate: unknown in the baseline (0 of 0 lines, none: too short a history),"
        " 30.0 % in the last 14 days."
    )
