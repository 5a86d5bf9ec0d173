"""`webhooks.disable`: an endpoint that is gone is left alone, and its admins are told."""

from tests.webhooks.dispatch import Dispatch, MakeDispatch

GONE = "It answered 410: whoever received there does not any more."
KEYS = {"endpoint_id", "description", "reason", "failing_since", "link"}


def test_it_says_why_and_since_when(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    created = dispatch.endpoint(endpoint_id)["status_at"]
    dispatch.disable(endpoint_id)

    endpoint = dispatch.endpoint(endpoint_id)
    assert (endpoint["status"], endpoint["status_reason"]) == ("disabled", GONE)
    assert endpoint["status_at"] > created


def test_what_waits_is_cancelled_and_what_is_under_way_is_not(dispatch: Dispatch) -> None:
    under_way, retried, waiting, gone = dispatch.deliveries(4, event_types=["alert.opened"])
    endpoint_id = dispatch.delivery(gone)["endpoint_id"]
    [elsewhere] = dispatch.deliveries(1, "upload.failed")
    dispatch.attempt(retried, 404)
    dispatch.start(under_way)

    assert dispatch.attempt(gone, 410) == "disabled"

    assert dispatch.statuses(endpoint_id) == ["pending", "cancelled", "cancelled", "failed"]
    for delivery_id in (retried, waiting):
        delivery = dispatch.delivery(delivery_id)
        assert delivery["last_error"] == "the endpoint is disabled"
        assert delivery["job_id"] is delivery["next_attempt_at"] is None
        assert delivery["finished_at"] is not None
    assert dispatch.delivery(elsewhere)["status"] == "pending"


def test_the_other_endpoints_are_told(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    url = "https://example.org/hook?key=top-secret"
    doomed = dispatch.create(url=url, description="Our old one")
    listening = dispatch.create(event_types=["endpoint.disabled"])
    deaf = dispatch.create(event_types=["alert.opened"])
    paused = dispatch.create()
    dispatch.pause(paused)
    other = make_dispatch()
    others = other.create()

    dispatch.disable(doomed)

    [event] = [e for e in dispatch.events() if e["type"] == "endpoint.disabled"]
    endpoint = dispatch.endpoint(doomed)
    assert event["occurred_at"] == endpoint["status_at"]
    assert event["payload"]["type"] == "endpoint.disabled"
    assert event["payload"]["timestamp"] == f"{endpoint['status_at']:%Y-%m-%dT%H:%M:%S.%fZ}"
    data = event["payload"]["data"]
    assert set(data) == KEYS
    assert (data["endpoint_id"], data["description"]) == (doomed, "Our old one")
    assert (data["reason"], data["link"]) == (GONE, f"/api/v1/webhook-endpoints/{doomed}")
    assert data["failing_since"] is not None
    assert "top-secret" not in str(event["payload"])
    told = {
        row["endpoint_id"]
        for row in dispatch.portfolio.rows("webhook_delivery")
        if row["event_id"] == event["id"]
    }
    assert told == {listening, paused}
    assert dispatch.ids_of(deaf) == other.ids_of(others) == []


def test_once_disabled_it_is_not_told_again(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    dispatch.disable(endpoint_id)
    before = dispatch.snapshot()

    dispatch.owner.execute(
        "SELECT webhooks.disable(%s, %s, 'Once more.')", dispatch.customer_id, endpoint_id
    )

    assert dispatch.snapshot() == before


def test_each_time_anew_it_is(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    for _ in range(2):
        dispatch.disable(endpoint_id)
        dispatch.resume(endpoint_id)

    assert dispatch.types().count("endpoint.disabled") == 2


def test_it_is_in_the_audit_trail(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    dispatch.disable(endpoint_id)

    entry = dispatch.portfolio.rows("audit_entry")[-1]
    assert (entry["table_name"], entry["row_id"]) == ("webhook_endpoint", endpoint_id)
    assert "status_reason" in entry["changes"]


def test_a_paused_one_can_be_disabled(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    number = dispatch.start(delivery_id)
    dispatch.pause(endpoint_id)

    assert dispatch.finish(delivery_id, number, 410) == "disabled"
    assert dispatch.endpoint(endpoint_id)["status"] == "disabled"
