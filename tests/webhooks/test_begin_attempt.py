"""`webhooks.begin_attempt`: whether a delivery is attempted now, and by whom alone."""

import json
from datetime import timedelta

import pytest

from tests.acceptance.together import DatabaseUrl, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.receiving import suspend
from tests.refusal import refused
from tests.webhooks.dispatch import BEGIN, Dispatch, MakeDispatch

NOTHING_TO_SEND = dict.fromkeys(("attempt", "url", "message_id", "body", "ciphertexts", "key_ids"))
OVER = "it is gone, finished, or under way"
LEASE = timedelta(seconds=60)


def test_what_is_due_is_sent(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries(url="https://example.org/hook?a=1")
    before = dispatch.owner.value("SELECT clock_timestamp()")

    begun = dispatch.begin(delivery_id)

    [event] = dispatch.events()
    assert json.loads(begun.pop("body")) == event["payload"]
    assert [bytes(ciphertext) for ciphertext in begun.pop("ciphertexts")] == [b"secret"]
    assert begun == {
        "decision": "send",
        "reason": None,
        "attempt": 1,
        "url": "https://example.org/hook?a=1",
        "message_id": event["message_id"],
        "key_ids": ["key"],
    }
    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["attempts"], delivery["failures"]) == ("pending", 1, 0)
    assert delivery["job_id"] is None
    assert before < delivery["leased_until"] - LEASE < dispatch.owner.value("SELECT now()")
    assert dispatch.attempts(delivery_id) == []


def test_the_body_is_the_same_each_time(dispatch: Dispatch) -> None:
    """It is what is signed, and receivers may compare."""
    first, second = dispatch.deliveries(2)
    body = dispatch.begin(first)["body"]
    dispatch.age()

    again = dispatch.begin(first)
    assert (again["decision"], again["body"]) == ("send", body)
    assert dispatch.begin(second)["message_id"] != again["message_id"]


def test_it_comes_with_the_secrets_in_use_newest_first(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(ciphertext=b"0", key_id="k0")
    for number in (1, 2):
        dispatch.call("rotate_secret", endpoint_id, f"{number}".encode(), f"k{number}")
    dispatch.publish()
    [delivery_id] = dispatch.ids_of(endpoint_id)

    begun = dispatch.begin(delivery_id)

    assert [bytes(ciphertext) for ciphertext in begun["ciphertexts"]] == [b"2", b"1"]
    assert begun["key_ids"] == ["k2", "k1"]

    dispatch.owner.execute("UPDATE webhook_secret SET expires_at = now() WHERE expires_at > now()")
    dispatch.age()
    assert dispatch.begin(delivery_id)["key_ids"] == ["k2"]


@pytest.mark.parametrize("status", [200, 410])
def test_what_ended_is_dropped(dispatch: Dispatch, status: int) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.attempt(delivery_id, status)
    before = dispatch.snapshot()

    assert dispatch.begin(delivery_id) == NOTHING_TO_SEND | {"decision": "drop", "reason": OVER}
    assert dispatch.snapshot() == before


def test_what_is_under_way_is_dropped(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.start(delivery_id)
    before = dispatch.snapshot()

    assert dispatch.begin(delivery_id) == NOTHING_TO_SEND | {"decision": "drop", "reason": OVER}
    assert dispatch.snapshot() == before


def test_what_is_gone_is_dropped(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    [others] = make_dispatch().deliveries()

    for delivery_id in (-1, others):
        assert dispatch.begin(delivery_id)["reason"] == OVER


def test_an_attempt_that_somebody_is_finishing_is_dropped_and_not_waited_for(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    with open_connections(database_url, 1) as [other]:
        other.execute("BEGIN")
        dispatch.finish(delivery_id, number, database=other)

        assert dispatch.begin(delivery_id)["reason"] == OVER
        other.execute("COMMIT")
    assert dispatch.delivery(delivery_id)["status"] == "delivered"


def test_a_disabled_endpoints_is_cancelled(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.attempt(delivery_id, 503)
    dispatch.age()
    # As if it came from a transaction that had not committed when the endpoint was disabled.
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    dispatch.set_endpoint(endpoint_id, status="disabled")

    begun = dispatch.begin(delivery_id)

    assert begun == NOTHING_TO_SEND | {"decision": "drop", "reason": "the endpoint is disabled"}
    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["last_error"]) == ("cancelled", "the endpoint is disabled")
    assert (delivery["last_status_code"], delivery["failures"]) == (503, 1)


def test_a_suspended_customers_is_cancelled(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    suspend(dispatch.portfolio)
    dispatch.owner.execute(
        "UPDATE webhook_delivery SET status = 'pending', next_attempt_at = now(),"
        " finished_at = NULL WHERE id = %s",
        delivery_id,
    )

    begun = dispatch.begin(delivery_id)

    assert begun == NOTHING_TO_SEND | {"decision": "drop", "reason": "the customer was suspended"}
    assert dispatch.delivery(delivery_id)["status"] == "cancelled"


def test_what_is_not_due_yet_is_postponed(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.attempt(delivery_id, 503)
    due = dispatch.delivery(delivery_id)["next_attempt_at"]

    begun = dispatch.begin(delivery_id)

    assert begun == NOTHING_TO_SEND | {"decision": "postpone", "reason": "it is not due yet"}
    delivery = dispatch.delivery(delivery_id)
    assert (delivery["next_attempt_at"], delivery["job_id"]) == (due, None)
    assert delivery["attempts"] == 1


def test_a_job_that_is_less_than_a_second_early_is_not(dispatch: Dispatch) -> None:
    """The clocks of two machines may differ by a little."""
    [delivery_id] = dispatch.deliveries()
    dispatch.owner.execute(
        "UPDATE webhook_delivery SET next_attempt_at = clock_timestamp() + interval '0.9 s'"
        " WHERE id = %s",
        delivery_id,
    )

    assert dispatch.begin(delivery_id)["decision"] == "send"


def test_a_paused_endpoints_is_postponed(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.pause(dispatch.delivery(delivery_id)["endpoint_id"])
    due = dispatch.delivery(delivery_id)["next_attempt_at"]

    begun = dispatch.begin(delivery_id)

    assert begun == NOTHING_TO_SEND | {"decision": "postpone", "reason": "the endpoint is paused"}
    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["next_attempt_at"]) == ("pending", due)
    assert delivery["job_id"] is None


def test_while_the_breaker_is_open_it_is_postponed_until_then(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    until = dispatch.owner.value("SELECT now() + interval '30 s'")
    dispatch.set_endpoint(endpoint_id, unavailable_count=6, blocked_until=until)

    begun = dispatch.begin(delivery_id)

    reason = "the endpoint did not answer lately"
    assert begun == NOTHING_TO_SEND | {"decision": "postpone", "reason": reason}
    delivery = dispatch.delivery(delivery_id)
    assert (delivery["next_attempt_at"], delivery["job_id"]) == (until, None)


def test_a_half_open_breaker_lets_one_through(dispatch: Dispatch) -> None:
    first, second, third = dispatch.deliveries(3)
    endpoint_id = dispatch.delivery(first)["endpoint_id"]
    past = dispatch.owner.value("SELECT now() - interval '1 s'")
    dispatch.set_endpoint(endpoint_id, unavailable_count=5, blocked_until=past)

    number = dispatch.start(first)
    begun = dispatch.begin(second)
    assert begun == NOTHING_TO_SEND | {"decision": "postpone", "reason": "enough is under way"}
    dispatch.finish(first, number)

    # It took one: all may go.
    assert [dispatch.begin(d)["decision"] for d in (second, third)] == ["send", "send"]


def test_a_lost_attempt_is_noted_and_the_next_begins(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.start(delivery_id)
    dispatch.age()

    assert dispatch.begin(delivery_id)["attempt"] == 2

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["attempts"], delivery["failures"]) == (2, 1)
    [lost] = dispatch.attempts(delivery_id)
    assert (lost["number"], lost["duration_ms"], lost["status_code"]) == (1, None, None)


def test_another_customers_lost_attempt_is_nobodys_business(
    dispatch: Dispatch, make_dispatch: MakeDispatch
) -> None:
    other = make_dispatch()
    [others] = other.deliveries()
    other.start(others)
    other.age()
    before = other.snapshot()

    assert dispatch.begin(others)["reason"] == OVER
    assert other.snapshot() == before


def test_another_customers_context_is_refused(
    dispatch: Dispatch, make_dispatch: MakeDispatch, connect: Connect
) -> None:
    [delivery_id] = dispatch.deliveries()
    database = Database(connect())
    database.execute("SELECT set_config('app.customer_id', %s, false)", f"{dispatch.customer_id}")
    assert dispatch.begin(delivery_id, database)["decision"] == "send"

    with refused("PD003"):
        make_dispatch().begin(delivery_id, database)
    with refused("PD004"):
        database.execute(BEGIN, None, delivery_id)


def test_another_isolation_level_is_refused(dispatch: Dispatch, connect: Connect) -> None:
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    with refused("PD001"):
        dispatch.begin(1, database)
