"""`alerts.share_delta`: how far the share that clearing watches had moved."""

import json

from tests.database import Database


def share_delta(owner: Database, **event: float) -> float:
    value: float = owner.value(
        "SELECT alerts.share_delta(jsonb_populate_record(NULL::drift_event, %s::jsonb))",
        json.dumps(event),
    )
    return value


def test_it_is_the_difference_of_the_shares(owner: Database) -> None:
    assert share_delta(owner, current_x=3, current_n=4, baseline_x=1, baseline_n=2) == 0.25


def test_a_silence_has_no_shares(owner: Database) -> None:
    event = {"current_x": 0, "current_n": 0, "baseline_x": 0, "baseline_n": 500, "delta": 14}
    assert share_delta(owner, **event) == 14
