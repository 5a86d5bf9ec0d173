"""`webhooks.delete_endpoint`: an endpoint goes with all that was sent to it."""

import psycopg2.errors
import pytest

from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.alerts.stories import DAY, open_alert
from tests.database import Database
from tests.portfolio import as_tenant
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch

DELETE = "SELECT webhooks.delete_endpoint(%s, %s)"


def test_all_of_it_goes_and_nothing_else(dispatch: Dispatch) -> None:
    kept = dispatch.create()
    doomed = dispatch.create()
    dispatch.call("rotate_secret", doomed, b"new", "key")
    for _ in range(2):
        dispatch.publish()
    waiting, sent = dispatch.ids_of(doomed)
    dispatch.attempt(sent)
    dispatch.attempt(dispatch.ids_of(kept)[0], 503)
    before = dispatch.snapshot()

    dispatch.delete(doomed)

    assert dispatch.snapshot() == {
        "webhook_endpoint": [row for row in before["webhook_endpoint"] if row["id"] == kept],
        "webhook_secret": [row for row in before["webhook_secret"] if row["endpoint_id"] == kept],
        "webhook_event": before["webhook_event"],
        "webhook_delivery": [
            row for row in before["webhook_delivery"] if row["endpoint_id"] == kept
        ],
        "webhook_attempt": [
            row for row in before["webhook_attempt"] if row["delivery_id"] not in (waiting, sent)
        ],
    }
    # Its jobs find out.
    assert dispatch.begin(waiting)["decision"] == "drop"


def test_an_attempt_under_way_finds_that_it_is_gone(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    dispatch.delete(dispatch.delivery(delivery_id)["endpoint_id"])

    assert dispatch.finish(delivery_id, number) == "stale"
    assert dispatch.finish(delivery_id, number, 503) == "stale"
    assert dispatch.portfolio.rows("webhook_attempt") == []


@pytest.mark.parametrize("status", [200, 503])
def test_an_attempt_that_is_just_being_finished_goes_as_well(
    dispatch: Dispatch, worker: Database, database_url: DatabaseUrl, status: int
) -> None:
    former, delivery_id = dispatch.deliveries(2)
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    # So that a success isn't worth noting at the endpoint.
    dispatch.attempt(former)
    number = dispatch.start(delivery_id)
    with open_connections(database_url, 2) as [finishing, deleting]:
        finishing.execute("BEGIN")
        dispatch.finish(delivery_id, number, status, database=finishing)
        waiting = Background(
            deleting, lambda d: d.execute(DELETE, dispatch.customer_id, endpoint_id)
        )
        waiting.wait_until_blocked(worker)
        finishing.execute("COMMIT")
        waiting.join()

    assert dispatch.portfolio.rows("webhook_endpoint") == []
    assert dispatch.portfolio.rows("webhook_attempt") == []


def test_what_happens_meanwhile_is_not_undone_by_it(
    dispatch: Dispatch, worker: Database, database_url: DatabaseUrl
) -> None:
    """Whoever detects, loads or acknowledges has nothing to do with who is told."""
    open_alert(dispatch.portfolio)
    dispatch.portfolio.acknowledge()
    kept, doomed = dispatch.create(), dispatch.create()
    with open_connections(database_url, 2) as [deleting, resolving]:
        deleting.execute("BEGIN")
        deleting.execute(DELETE, dispatch.customer_id, doomed)
        alert_id = dispatch.portfolio.alert()["id"]
        waiting = Background(
            resolving,
            lambda d: d.value(
                "SELECT alerts.resolve(%s, %s, NULL)", dispatch.customer_id, alert_id
            ),
        )
        waiting.blocks(worker)
        deleting.execute("COMMIT")

        assert waiting.join() == 3
    assert dispatch.types()[-1] == "alert.resolved"
    assert len(dispatch.ids_of(kept)) == 1
    assert dispatch.ids_of(doomed) == []
    assert dispatch.portfolio.alert()["last_seen_as_of"] == DAY


def test_it_waits_for_what_is_told_to_it_just_now(
    dispatch: Dispatch, worker: Database, database_url: DatabaseUrl
) -> None:
    open_alert(dispatch.portfolio)
    endpoint_id = dispatch.create()
    alert_id = dispatch.portfolio.alert()["id"]
    with open_connections(database_url, 2) as [moving, deleting]:
        moving.execute("BEGIN")
        moving.execute("SELECT alerts.resolve(%s, %s, NULL)", dispatch.customer_id, alert_id)
        waiting = Background(
            deleting, lambda d: d.execute(DELETE, dispatch.customer_id, endpoint_id)
        )
        waiting.wait_until_blocked(worker)
        # Twice in one transaction, with somebody in between who wants the endpoint.
        moving.execute("SELECT alerts.reopen(%s, %s, NULL)", dispatch.customer_id, alert_id)
        moving.execute("COMMIT")
        waiting.join()

    assert dispatch.types()[-2:] == ["alert.resolved", "alert.reopened"]
    assert dispatch.portfolio.rows("webhook_delivery") == []


def test_an_unknown_one_is_refused(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    other = make_dispatch()
    for endpoint_id in (-1, other.create()):
        with refused("PD016", "webhook_endpoint"):
            dispatch.delete(endpoint_id)
    assert len(other.portfolio.rows("webhook_endpoint")) == 1


def test_a_tenant_deletes_its_own(
    dispatch: Dispatch, make_dispatch: MakeDispatch, web: Database
) -> None:
    other = make_dispatch()
    with as_tenant(web.connection, dispatch.customer_id) as tenant:
        tenant.execute(DELETE, dispatch.customer_id, dispatch.create())
    with as_tenant(web.connection, dispatch.customer_id) as tenant, refused("PD003"):
        tenant.execute(DELETE, other.customer_id, other.create())
    with (
        as_tenant(web.connection, dispatch.customer_id) as tenant,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        tenant.execute("DELETE FROM webhook_endpoint")
