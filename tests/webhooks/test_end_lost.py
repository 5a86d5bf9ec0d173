"""`webhooks.end_lost`: attempts whose worker is gone."""

from datetime import timedelta

from tests.acceptance.together import DatabaseUrl, open_connections
from tests.webhooks.dispatch import Dispatch

ERROR = "Nothing is known of the last attempt: its worker ended in the middle."


def end_lost(dispatch: Dispatch, *delivery_ids: int) -> int:
    ended: int = dispatch.owner.value("SELECT webhooks.end_lost(%s::bigint[])", list(delivery_ids))
    return ended


def test_they_are_noted_and_due_again(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.start(delivery_id)
    leased_until = dispatch.delivery(delivery_id)["leased_until"]
    dispatch.age()

    assert end_lost(dispatch, delivery_id) == 1

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["leased_until"]) == ("pending", None)
    assert (delivery["attempts"], delivery["failures"]) == (1, 1)
    assert (delivery["last_status_code"], delivery["last_error"]) == (None, ERROR)
    assert delivery["next_attempt_at"] < leased_until
    [attempt] = dispatch.attempts(delivery_id)
    assert (attempt["number"], attempt["status_code"]) == (1, None)
    assert (attempt["duration_ms"], attempt["response"]) == (None, "")
    assert attempt["error"] == "Nothing is known of it: its worker ended in the middle."
    assert attempt["started_at"] == leased_until - timedelta(days=2, seconds=60)
    # Once is enough.
    assert end_lost(dispatch, delivery_id) == 0


def test_a_lease_that_runs_is_left_alone(dispatch: Dispatch) -> None:
    under_way, waiting, done = dispatch.deliveries(3)
    dispatch.start(under_way)
    dispatch.attempt(done)
    before = dispatch.snapshot()

    assert end_lost(dispatch, under_way, waiting, done) == 0
    assert end_lost(dispatch) == 0
    assert dispatch.snapshot() == before


def test_only_those_that_were_asked_for(dispatch: Dispatch) -> None:
    one, other = dispatch.deliveries(2)
    for delivery_id in (one, other):
        dispatch.start(delivery_id)
    dispatch.age()

    assert end_lost(dispatch, one) == 1
    assert dispatch.delivery(other)["leased_until"] is not None


def test_the_endpoint_is_not_to_blame(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    dispatch.start(delivery_id)
    dispatch.age()
    before = dispatch.endpoint(endpoint_id)

    end_lost(dispatch, delivery_id)

    assert dispatch.endpoint(endpoint_id) == before


def test_what_takes_its_worker_with_it_each_time_fails_in_the_end(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    for number in range(1, 21):
        assert dispatch.delivery(delivery_id)["status"] == "pending"
        assert dispatch.start(delivery_id) == number
        dispatch.age(timedelta(seconds=61))

    assert dispatch.begin(delivery_id)["decision"] == "drop"

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["failures"], delivery["attempts"]) == ("failed", 20, 20)
    assert (delivery["next_attempt_at"], delivery["last_error"]) == (None, ERROR)
    assert delivery["finished_at"] is not None
    assert len(dispatch.attempts(delivery_id)) == 20


def test_what_is_being_finished_was_not_lost(dispatch: Dispatch, database_url: DatabaseUrl) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    dispatch.age()
    with open_connections(database_url, 1) as [finishing]:
        finishing.execute("BEGIN")
        dispatch.finish(delivery_id, number, database=finishing)

        assert end_lost(dispatch, delivery_id) == 0
        finishing.execute("COMMIT")
    assert dispatch.delivery(delivery_id)["status"] == "delivered"
    assert len(dispatch.attempts(delivery_id)) == 1
