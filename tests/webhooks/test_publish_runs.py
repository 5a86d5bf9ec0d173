"""`webhooks.publish_runs`: that a run ended is told, in its own transaction."""

from datetime import date

import pytest

from core import functions
from tests.acceptance.together import DatabaseUrl, open_connections
from tests.alerts.stories import DAY
from tests.ingest.receiving import suspend
from tests.webhooks.dispatch import Dispatch

KEYS = {
    *("drift_run_id", "as_of", "trigger", "status", "groups_measured", "groups_insufficient"),
    *("events_found", "error", "link"),
}


def test_a_completed_one_is_told_with_its_counts(dispatch: Dispatch) -> None:
    portfolio = dispatch.portfolio
    portfolio.decide(DAY, paid=3)
    run_id = portfolio.detect(DAY, trigger="manual")

    [event] = dispatch.events()
    [run] = portfolio.rows("drift_run")
    assert (event["type"], event["occurred_at"]) == ("drift_run.completed", run["finished_at"])
    assert event["dedup_key"] == f"drift_run:{run_id}:completed"
    assert event["payload"] == {
        "type": "drift_run.completed",
        "timestamp": f"{run['finished_at']:%Y-%m-%dT%H:%M:%S.%fZ}",
        "data": {
            "drift_run_id": run_id,
            "as_of": DAY.isoformat(),
            "trigger": "manual",
            "status": "completed",
            "groups_measured": run["groups_measured"],
            "groups_insufficient": run["groups_insufficient"],
            "events_found": run["events_found"],
            "error": run["error"],
            "link": f"/api/v1/drift-runs/{run_id}",
        },
    }
    assert set(event["payload"]["data"]) == KEYS


def request(dispatch: Dispatch) -> int:
    return functions.drift_request_run(customer_id=dispatch.customer_id, as_of=DAY)


def fail(dispatch: Dispatch, run_id: int) -> None:
    functions.drift_fail_run(customer_id=dispatch.customer_id, run_id=run_id, error="It broke.")


def test_a_failed_one_is_told_with_why(dispatch: Dispatch) -> None:
    run_id = request(dispatch)
    assert dispatch.events() == []
    fail(dispatch, run_id)

    [event] = dispatch.events()
    assert event["type"] == "drift_run.failed"
    assert set(event["payload"]["data"]) == KEYS
    assert event["payload"]["data"]["error"] == "It broke."


def test_nothing_is_told_twice(dispatch: Dispatch) -> None:
    run_id = request(dispatch)
    for _ in range(2):
        fail(dispatch, run_id)
    dispatch.owner.execute("UPDATE drift_run SET error = 'Again.' WHERE id = %s", run_id)

    assert dispatch.types() == ["drift_run.failed"]


def test_starting_one_is_not_told(dispatch: Dispatch) -> None:
    run_id = request(dispatch)
    functions.drift_start_run(customer_id=dispatch.customer_id, run_id=run_id)

    assert dispatch.events() == []

    functions.drift_run_requested(customer_id=dispatch.customer_id, run_id=run_id)
    assert dispatch.types() == ["drift_run.completed"]


def test_several_that_end_at_once_are_told_one_by_one(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    runs = [
        functions.drift_request_run(customer_id=dispatch.customer_id, as_of=date(2026, 6, day))
        for day in (1, 2, 3)
    ]
    dispatch.owner.execute(
        "UPDATE drift_run SET status = 'failed', finished_at = clock_timestamp()"
        " WHERE id = ANY(%s)",
        runs,
    )

    assert [e["payload"]["data"]["drift_run_id"] for e in dispatch.events()] == runs
    assert len({event["message_id"] for event in dispatch.events()}) == 3
    assert len(dispatch.ids_of(endpoint_id)) == len(dispatch.jobs()) == 3


def test_a_rollback_leaves_nothing(dispatch: Dispatch, database_url: DatabaseUrl) -> None:
    dispatch.create()
    with open_connections(database_url, 1) as [database]:
        database.execute("BEGIN")
        database.execute("SELECT drift.detect(%s, %s, 'manual')", dispatch.customer_id, DAY)
        database.execute("ROLLBACK")

    assert dispatch.events() == dispatch.jobs() == []
    assert dispatch.portfolio.rows("webhook_delivery") == []


@pytest.mark.parametrize("argument", [None, "{}", "{-1}"])
def test_none_are_none(dispatch: Dispatch, argument: str | None) -> None:
    dispatch.owner.execute("SELECT webhooks.publish_runs(%s::bigint[])", argument)
    dispatch.owner.execute("SELECT webhooks.publish_uploads(%s::bigint[])", argument)
    dispatch.owner.execute("SELECT webhooks.publish_transitions(%s::bigint[])", argument)

    assert dispatch.events() == []


def test_those_that_a_suspension_ends_are_kept_for_later(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    request(dispatch)

    suspend(dispatch.portfolio)

    assert "drift_run.failed" in dispatch.types()
    assert dispatch.ids_of(endpoint_id) == []
