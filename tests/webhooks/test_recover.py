"""`webhooks.recover`: what did not reach an endpoint is sent."""

from datetime import datetime

from tests.database import Database
from tests.ingest.receiving import suspend
from tests.portfolio import as_tenant
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch


def test_what_failed_and_what_was_cancelled_is_sent_again(dispatch: Dispatch) -> None:
    failed, delivered, waiting, cancelled = dispatch.deliveries(4)
    endpoint_id = dispatch.delivery(failed)["endpoint_id"]
    dispatch.attempt(failed, 500, schedule=[])
    dispatch.attempt(delivered)
    dispatch.attempt(waiting, 404)
    # As if it came from another time that it was disabled.
    dispatch.owner.execute(
        "SELECT webhooks.end_delivery(%s, 'cancelled', NULL, 'the endpoint is disabled')", cancelled
    )
    before = {d: dispatch.delivery(d) for d in (delivered, waiting)}

    assert dispatch.recover(endpoint_id) == 2

    for delivery_id in (failed, cancelled):
        delivery = dispatch.delivery(delivery_id)
        assert (delivery["status"], delivery["failures"]) == ("pending", 0)
        assert dispatch.waits_for_job(delivery_id)
    assert {d: dispatch.delivery(d) for d in before} == before
    # All of them are there now.
    assert dispatch.recover(endpoint_id) == 0


def test_what_happened_while_it_was_disabled_is_sent(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(event_types=["alert.opened"])
    dispatch.publish()
    dispatch.disable(endpoint_id)
    events = [dispatch.publish(), dispatch.publish("upload.failed"), dispatch.publish()]
    with refused("PD017", "Resume it first"):
        dispatch.recover(endpoint_id)
    dispatch.resume(endpoint_id)
    known = dispatch.ids_of(endpoint_id)

    # The first, that was cancelled, and two that it was not told of; not the test that failed.
    assert dispatch.recover(endpoint_id) == 3

    missed = [dispatch.delivery(d) for d in dispatch.ids_of(endpoint_id) if d not in known]
    assert [row["event_id"] for row in missed] == [events[0], events[2]]
    assert all(dispatch.waits_for_job(row["id"]) for row in missed)


def test_a_new_endpoint_gets_what_was_before_it(dispatch: Dispatch) -> None:
    events = [dispatch.publish() for _ in range(3)]
    endpoint_id = dispatch.create()

    assert dispatch.recover(endpoint_id) == 3
    assert [dispatch.delivery(d)["event_id"] for d in dispatch.ids_of(endpoint_id)] == events


def test_it_goes_back_to_a_time_and_no_further(dispatch: Dispatch) -> None:
    for hours in (3, 2, 1):
        dispatch.publish(occurred_at=f"date_trunc('day', now()) - interval '{hours} hours'")
    since: datetime = dispatch.events()[1]["occurred_at"]
    endpoint_id = dispatch.create()

    assert dispatch.recover(endpoint_id, since) == 2
    for delivery_id in dispatch.ids_of(endpoint_id):
        dispatch.attempt(delivery_id, 500, schedule=[])
    assert dispatch.recover(endpoint_id, dispatch.events()[2]["occurred_at"]) == 1
    assert dispatch.statuses(endpoint_id) == ["failed", "pending"]
    assert dispatch.recover(endpoint_id, "infinity") == 0


def test_tests_of_others_are_not_for_it(dispatch: Dispatch) -> None:
    dispatch.call("send_test", dispatch.create())

    assert dispatch.recover(dispatch.create()) == 0


def test_a_paused_endpoints_wait_until_it_is_resumed(dispatch: Dispatch) -> None:
    dispatch.publish()
    endpoint_id = dispatch.create()
    dispatch.pause(endpoint_id)

    assert dispatch.recover(endpoint_id) == 1
    assert dispatch.jobs() == []

    dispatch.resume(endpoint_id)
    assert len(dispatch.jobs()) == 1


def test_other_endpoints_get_nothing(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    other = make_dispatch()
    other.publish()
    [failed] = dispatch.deliveries()
    dispatch.attempt(failed, 500, schedule=[])

    assert dispatch.recover(dispatch.create()) == 1
    assert dispatch.delivery(failed)["status"] == "failed"
    assert other.portfolio.rows("webhook_delivery") == []


def test_an_unknown_one_is_refused(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    for endpoint_id in (-1, make_dispatch().create()):
        with refused("PD016"):
            dispatch.recover(endpoint_id)


def test_a_suspended_customers_is_refused(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    suspend(dispatch.portfolio)

    with refused("PD005"):
        dispatch.recover(endpoint_id)


def test_a_tenant_recovers_its_own(
    dispatch: Dispatch, make_dispatch: MakeDispatch, web: Database
) -> None:
    recover = "SELECT webhooks.recover(%s, %s, '-infinity')"
    dispatch.publish()
    endpoint_id, other = dispatch.create(), make_dispatch()
    with as_tenant(web.connection, dispatch.customer_id) as tenant:
        assert tenant.value(recover, dispatch.customer_id, endpoint_id) == 1
        with refused("PD003"):
            tenant.value(recover, other.customer_id, other.create())
