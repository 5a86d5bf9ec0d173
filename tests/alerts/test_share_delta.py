"""`alerts.share_delta`: how far the share that clearing watches had moved."""

from tests.database import Database


def test_it_is_the_difference_of_the_shares(owner: Database) -> None:
    assert (
        owner.value(
            "SELECT alerts.share_delta(jsonb_populate_record(NULL::drift_event,"
            """ '{"current_x": 3, "current_n": 4, "baseline_x": 1, "baseline_n": 2}'))"""
        )
        == 0.25
    )
