"""`webhooks.fan_out`: who is told of an event."""

import pytest

from tests.ingest.receiving import activate, suspend
from tests.webhooks.dispatch import Dispatch, MakeDispatch


def told(dispatch: Dispatch, event_id: int) -> list[int]:
    rows = dispatch.portfolio.rows("webhook_delivery")
    return [row["endpoint_id"] for row in rows if row["event_id"] == event_id]


def test_whoever_wants_its_type_is_told(dispatch: Dispatch) -> None:
    everything = dispatch.create()
    alerts = dispatch.create(event_types=["alert.opened", "alert.resolved"])
    runs = dispatch.create(event_types=["drift_run.completed"])

    assert told(dispatch, dispatch.publish("alert.opened")) == [everything, alerts]
    assert told(dispatch, dispatch.publish("alert.escalated")) == [everything]
    assert told(dispatch, dispatch.publish("drift_run.completed")) == [everything, runs]


def test_each_delivery_is_new_and_has_a_job(dispatch: Dispatch) -> None:
    for _ in range(2):
        dispatch.create()
    event_id = dispatch.publish()

    for row in dispatch.portfolio.rows("webhook_delivery"):
        assert (row["event_id"], row["status"], row["attempts"]) == (event_id, "pending", 0)
        assert row["next_attempt_at"] <= dispatch.owner.value("SELECT clock_timestamp()")
        [job] = dispatch.jobs(row["id"])
        assert (row["job_id"], job["status"]) == (job["id"], "todo")


def test_a_paused_endpoints_waits_without_a_job(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    dispatch.pause(endpoint_id)

    assert told(dispatch, dispatch.publish()) == [endpoint_id]
    assert dispatch.jobs() == []


def test_a_disabled_endpoint_is_not_told(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    dispatch.disable(endpoint_id)

    assert told(dispatch, dispatch.publish()) == []


def test_an_endpoint_is_not_told_what_was_before_it(dispatch: Dispatch) -> None:
    dispatch.publish()

    assert dispatch.ids_of(dispatch.create()) == []


def test_a_test_is_for_one_only(dispatch: Dispatch) -> None:
    one, other = dispatch.create(), dispatch.create()
    dispatch.call("send_test", one)

    assert (len(dispatch.ids_of(one)), dispatch.ids_of(other)) == (1, [])
    assert told(dispatch, dispatch.publish("webhook.test")) == []


def test_a_suspended_customers_is_not_told(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    suspend(dispatch.portfolio)
    assert told(dispatch, dispatch.publish()) == []

    activate(dispatch.portfolio)
    assert told(dispatch, dispatch.publish()) == [endpoint_id]


def test_nobody_elses_endpoints_are_told(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    own, other = dispatch.create(), make_dispatch()
    others = other.create()

    assert told(dispatch, dispatch.publish()) == [own]
    assert other.ids_of(others) == []
    # Several customers' at once, as well.
    dispatch.owner.execute(
        "INSERT INTO webhook_event (customer_id, type, payload, message_id, dedup_key)"
        " SELECT c, 'alert.opened', '{}', webhooks.new_message_id(), 'together'"
        " FROM unnest(%s::bigint[]) AS c",
        [dispatch.customer_id, other.customer_id],
    )
    assert (len(dispatch.ids_of(own)), len(other.ids_of(others))) == (2, 1)
    for row in (
        *dispatch.portfolio.rows("webhook_delivery"),
        *other.portfolio.rows("webhook_delivery"),
    ):
        event = dispatch.owner.one("SELECT * FROM webhook_event WHERE id = %s", row["event_id"])
        assert event["customer_id"] == row["customer_id"]


def test_twice_is_once(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    event_id = dispatch.publish()
    dispatch.owner.execute("SELECT webhooks.fan_out(ARRAY[%s::bigint])", event_id)

    assert told(dispatch, event_id) == [endpoint_id]
    assert len(dispatch.jobs()) == 1


@pytest.mark.parametrize("argument", [None, "{}"])
def test_none_are_none(dispatch: Dispatch, argument: str | None) -> None:
    dispatch.create()
    dispatch.owner.execute("SELECT webhooks.fan_out(%s::bigint[])", argument)

    assert dispatch.portfolio.rows("webhook_delivery") == []
