"""`webhooks.pause` and `resume`: what is sent to an endpoint waits, and goes on."""

from typing import Any

import psycopg2.errors
import pytest

from tests.database import Database
from tests.portfolio import as_tenant
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch

BOTH = ("pause", "resume")


def test_a_paused_endpoint_keeps_what_comes(dispatch: Dispatch) -> None:
    [before] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(before)["endpoint_id"]
    dispatch.pause(endpoint_id)
    dispatch.publish()

    endpoint = dispatch.endpoint(endpoint_id)
    assert (endpoint["status"], endpoint["status_reason"]) == ("paused", "")
    assert dispatch.statuses(endpoint_id) == ["pending", "pending"]
    for delivery_id in dispatch.ids_of(endpoint_id):
        assert dispatch.begin(delivery_id)["decision"] == "postpone"
    dispatch.age()
    assert dispatch.requeue() == 0


def test_resumed_it_gets_all_that_waited(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(max_in_flight=2)
    dispatch.pause(endpoint_id)
    for _ in range(5):
        dispatch.publish()

    dispatch.resume(endpoint_id)

    deliveries = dispatch.ids_of(endpoint_id)
    assert [dispatch.waits_for_job(d) for d in deliveries] == [True, True, False, False, False]
    # The rest follows as they finish.
    for delivery_id in deliveries:
        assert dispatch.waits_for_job(delivery_id)
        dispatch.attempt(delivery_id)
    assert set(dispatch.statuses(endpoint_id)) == {"delivered"}


def test_a_retry_that_became_due_meanwhile_goes_as_well(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    number = dispatch.start(delivery_id)
    dispatch.pause(endpoint_id)
    dispatch.finish(delivery_id, number, 404)
    dispatch.age()

    dispatch.resume(endpoint_id)

    assert dispatch.waits_for_job(delivery_id)
    assert dispatch.delivery(delivery_id)["failures"] == 1


def test_resumed_it_is_as_healthy_as_a_new_one(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    until = dispatch.owner.value("SELECT now() + interval '5 minutes'")
    for status in ("paused", "disabled"):
        dispatch.set_endpoint(
            endpoint_id,
            status=status,
            status_reason="It took nothing for five days.",
            unavailable_count=20,
            failing_since=until,
            blocked_until=until,
        )
        dispatch.resume(endpoint_id)

        endpoint = dispatch.endpoint(endpoint_id)
        assert (endpoint["status"], endpoint["status_reason"]) == ("active", "")
        assert (endpoint["unavailable_count"], endpoint["failing_since"]) == (0, None)
        assert endpoint["blocked_until"] is None


def test_what_was_cancelled_stays_so(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    dispatch.disable(endpoint_id)

    dispatch.resume(endpoint_id)

    assert dispatch.statuses(endpoint_id)[0] == "cancelled"


def test_a_disabled_one_is_not_paused(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    dispatch.disable(endpoint_id)
    before = dispatch.endpoint(endpoint_id)

    dispatch.pause(endpoint_id)

    assert dispatch.endpoint(endpoint_id) == before


@pytest.mark.parametrize("move", BOTH)
def test_twice_changes_nothing(dispatch: Dispatch, move: str) -> None:
    endpoint_id = dispatch.create()
    dispatch.call(move, endpoint_id)
    before = dispatch.endpoint(endpoint_id), dispatch.portfolio.rows("audit_entry")

    dispatch.call(move, endpoint_id)

    assert (dispatch.endpoint(endpoint_id), dispatch.portfolio.rows("audit_entry")) == before


def test_an_open_breaker_stays_open(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    until = dispatch.owner.value("SELECT now() + interval '5 minutes'")
    dispatch.set_endpoint(endpoint_id, unavailable_count=7, blocked_until=until)

    dispatch.resume(endpoint_id)

    assert dispatch.endpoint(endpoint_id)["blocked_until"] == until


@pytest.mark.parametrize("move", BOTH)
def test_an_unknown_one_is_refused(
    dispatch: Dispatch, make_dispatch: MakeDispatch, move: str
) -> None:
    for endpoint_id in (-1, make_dispatch().create()):
        with refused("PD016", "webhook_endpoint"):
            dispatch.call(move, endpoint_id)


@pytest.mark.parametrize("move", BOTH)
def test_a_tenant_may_do_it_with_its_own(
    dispatch: Dispatch, make_dispatch: MakeDispatch, web: Database, move: str
) -> None:
    def call(customer_id: int, endpoint_id: int) -> Any:
        with as_tenant(web.connection, dispatch.customer_id) as tenant:
            tenant.execute(f"SELECT webhooks.{move}(%s, %s)", customer_id, endpoint_id)

    call(dispatch.customer_id, dispatch.create())
    other = make_dispatch()
    with refused("PD003"):
        call(other.customer_id, other.create())
    with refused("PD004"):
        dispatch.worker.execute(f"SELECT webhooks.{move}(NULL, 1)")
    with (
        as_tenant(web.connection, dispatch.customer_id) as tenant,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        tenant.execute("UPDATE webhook_endpoint SET status = 'paused'")
