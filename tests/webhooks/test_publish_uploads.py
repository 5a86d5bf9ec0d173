"""`webhooks.publish_uploads`: that a file was loaded, or wasn't, is told without what is in it."""

from core import functions
from tests.acceptance.together import DatabaseUrl, open_connections
from tests.ingest.loading import load, load_bytes, row
from tests.ingest.receiving import as_file, receive
from tests.webhooks.dispatch import Dispatch

KEYS = {
    *("upload_id", "status", "sha256", "rows_total", "rows_inserted", "rows_updated"),
    *("rows_unchanged", "rows_stale", "rows_rejected", "link"),
}


def test_a_loaded_one_is_told_with_its_counts(dispatch: Dispatch) -> None:
    loaded = load(dispatch.portfolio, row(), row(claim_number="C2"), row(outcome="nonsense"))

    [event] = dispatch.events()
    upload = dispatch.portfolio.rows("upload")[-1]
    assert (event["type"], event["occurred_at"]) == ("upload.completed", upload["finished_at"])
    assert event["dedup_key"] == f"upload:{loaded.upload_id}:completed"
    assert event["payload"] == {
        "type": "upload.completed",
        "timestamp": f"{upload['finished_at']:%Y-%m-%dT%H:%M:%S.%fZ}",
        "data": {
            "upload_id": loaded.upload_id,
            "status": "completed",
            "sha256": upload["sha256"],
            "rows_total": 3,
            "rows_inserted": 2,
            "rows_updated": 0,
            "rows_unchanged": 0,
            "rows_stale": 0,
            "rows_rejected": 1,
            "link": f"/api/v1/uploads/{loaded.upload_id}",
        },
    }


def test_a_failed_one_is_told_without_its_name_and_its_error(dispatch: Dispatch) -> None:
    upload_id = receive(dispatch.portfolio, as_file(row()), filename="mr-smith.csv")
    assert dispatch.events() == []
    functions.ingest_fail_upload(
        customer_id=dispatch.customer_id, upload_id=upload_id, error="Mr. Smith's row broke."
    )

    [event] = dispatch.events()
    assert event["type"] == "upload.failed"
    assert set(event["payload"]["data"]) == KEYS
    assert event["payload"]["data"]["status"] == "failed"
    assert "smith" not in str(event["payload"]).lower()


def test_one_that_was_loaded_before_is_not_told_again(dispatch: Dispatch) -> None:
    for _ in range(2):
        load_bytes(dispatch.portfolio, as_file(row()))
    receive(dispatch.portfolio, as_file(row()))

    assert dispatch.types() == ["upload.completed"]


def test_other_changes_are_not_told(dispatch: Dispatch) -> None:
    load(dispatch.portfolio, row())
    dispatch.owner.execute(
        "UPDATE upload SET filename = 'other.csv' WHERE customer_id = %s", dispatch.customer_id
    )

    assert dispatch.types() == ["upload.completed"]


def test_a_rollback_leaves_nothing(dispatch: Dispatch, database_url: DatabaseUrl) -> None:
    dispatch.create()
    upload_id = receive(dispatch.portfolio, as_file(row()))
    before = dispatch.snapshot(), dispatch.jobs()
    fail = "SELECT ingest.fail_upload(%s, %s, 'No.')"
    with open_connections(database_url, 1) as [database]:
        database.execute("BEGIN")
        database.execute(fail, dispatch.customer_id, upload_id)
        database.execute("ROLLBACK")
        assert (dispatch.snapshot(), dispatch.jobs()) == before
        database.execute(fail, dispatch.customer_id, upload_id)

    assert len(dispatch.events()) == len(dispatch.jobs()) == 1
