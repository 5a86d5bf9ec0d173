"""`webhooks.send_test`: a webhook.test to one endpoint."""

import pytest

from tests.ingest.receiving import suspend
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch


def send(dispatch: Dispatch, endpoint_id: int) -> int:
    delivery_id: int = dispatch.call("send_test", endpoint_id)
    return delivery_id


def test_it_is_sent_whatever_the_endpoint_wants(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(event_types=["alert.opened"])
    dispatch.create()

    delivery_id = send(dispatch, endpoint_id)

    [event] = dispatch.events()
    assert event["payload"] == {
        "type": "webhook.test",
        "timestamp": f"{event['occurred_at']:%Y-%m-%dT%H:%M:%S.%fZ}",
        "data": {
            "endpoint_id": endpoint_id,
            "link": f"/api/v1/webhook-endpoints/{endpoint_id}",
        },
    }
    [delivery] = dispatch.portfolio.rows("webhook_delivery")
    assert (delivery["id"], delivery["endpoint_id"]) == (delivery_id, endpoint_id)
    assert dispatch.waits_for_job(delivery_id)
    assert dispatch.attempt(delivery_id) == "delivered"


def test_any_number_can_be_sent(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()

    assert len({send(dispatch, endpoint_id) for _ in range(3)}) == 3
    assert len({event["message_id"] for event in dispatch.events()}) == 3


@pytest.mark.parametrize("status", ["paused", "disabled"])
def test_one_that_takes_nothing_gets_none(dispatch: Dispatch, status: str) -> None:
    endpoint_id = dispatch.create()
    dispatch.set_endpoint(endpoint_id, status=status)

    with refused("PD017", "Resume it first"):
        send(dispatch, endpoint_id)
    assert dispatch.events() == []


def test_an_unknown_one_is_refused(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    other = make_dispatch()
    for endpoint_id in (-1, other.create()):
        with refused("PD016"):
            send(dispatch, endpoint_id)
    assert other.events() == []


def test_a_suspended_customers_is_refused(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    suspend(dispatch.portfolio)

    with refused("PD005"):
        send(dispatch, endpoint_id)
