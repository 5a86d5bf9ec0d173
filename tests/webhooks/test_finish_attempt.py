"""`webhooks.finish_attempt`: what came of an attempt, and what follows."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.together import DatabaseUrl, do_together, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.receiving import suspend
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch

SCHEDULE = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_what_was_taken_is_delivered(dispatch: Dispatch, status: int) -> None:
    [delivery_id] = dispatch.deliveries()

    assert dispatch.attempt(delivery_id, status, response="Thanks.") == "delivered"

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["last_status_code"]) == ("delivered", status)
    assert (delivery["last_error"], delivery["attempts"], delivery["failures"]) == ("", 1, 0)
    assert delivery["finished_at"] > delivery["created_at"]
    assert delivery["next_attempt_at"] is delivery["leased_until"] is delivery["job_id"] is None
    [attempt] = dispatch.attempts(delivery_id)
    assert (attempt["number"], attempt["status_code"], attempt["duration_ms"]) == (1, status, 12)
    assert (attempt["error"], attempt["response"]) == ("", "Thanks.")


@pytest.mark.parametrize("status", [None, 199, 300, 302, 404, 429, 500, 503])
def test_what_was_not_taken_is_tried_again(dispatch: Dispatch, status: int | None) -> None:
    [delivery_id] = dispatch.deliveries()
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")

    assert dispatch.attempt(delivery_id, status, error="It failed.", response="No.") == "retry"

    after: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["last_status_code"]) == ("pending", status)
    assert (delivery["last_error"], delivery["attempts"]) == ("It failed.", 1)
    assert (delivery["failures"], delivery["leased_until"]) == (1, None)
    assert before + timedelta(seconds=5) <= delivery["next_attempt_at"]
    assert delivery["next_attempt_at"] <= after + timedelta(seconds=6)
    [attempt] = dispatch.attempts(delivery_id)
    assert (attempt["status_code"], attempt["error"]) == (status, "It failed.")
    assert (attempt["response"], attempt["duration_ms"]) == ("No.", 12)


def test_an_answer_that_broke_off_is_no_success(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()

    assert dispatch.attempt(delivery_id, 200, error="The connection ended.") == "retry"

    [endpoint] = dispatch.portfolio.rows("webhook_endpoint")
    assert (endpoint["unavailable_count"], endpoint["last_success_at"]) == (1, None)
    assert endpoint["failing_since"] is not None


def delays(dispatch: Dispatch, delivery_id: int, **more: Any) -> tuple[str, float, float]:
    """Fail once more; what follows, and between which delays in seconds it does."""
    number = dispatch.start(delivery_id)
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    outcome = dispatch.finish(delivery_id, number, 404, **more)
    after: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    due = dispatch.delivery(delivery_id)["next_attempt_at"]
    if due is None:
        return outcome, 0, 0
    return outcome, (due - after).total_seconds(), (due - before).total_seconds()


def test_it_is_tried_ten_times_over_three_and_a_half_days(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    for seconds in SCHEDULE:
        outcome, least, most = delays(dispatch, delivery_id)
        assert outcome == "retry"
        assert seconds <= most
        assert least <= seconds * 1.2
        # Those that are due soon have a job; a queue full of the others would be slow.
        assert dispatch.waits_for_job(delivery_id) == (seconds <= 300)
        dispatch.age()

    assert delays(dispatch, delivery_id)[0] == "failed"

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["attempts"], delivery["failures"]) == ("failed", 10, 10)
    assert (delivery["last_status_code"], delivery["last_error"]) == (404, "It answered 404.")
    assert delivery["job_id"] is None
    assert [row["number"] for row in dispatch.attempts(delivery_id)] == list(range(1, 11))
    # Time doesn't bring it back.
    dispatch.age()
    assert dispatch.requeue() == 0


def test_the_delay_is_spread_over_a_fifth_of_it(dispatch: Dispatch) -> None:
    found = []
    for delivery_id in dispatch.deliveries(100, max_in_flight=50):
        _, least, most = delays(dispatch, delivery_id, schedule=[10_000])
        assert least <= 12_000
        assert most >= 10_000
        found.append(least)

    # That all hundred of them are on one side has a chance of 2 in 2^100.
    assert min(found) < 11_000 < max(found)
    assert len({round(seconds) for seconds in found}) > 50


def test_another_schedule_is_kept(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    outcomes = []
    for seconds in (0, 7, 2):
        outcome, _, most = delays(dispatch, delivery_id, schedule=[0, 7, 2])
        assert most >= seconds
        outcomes.append(outcome)
        dispatch.age()
    outcomes.append(delays(dispatch, delivery_id, schedule=[0, 7, 2])[0])

    assert outcomes == ["retry", "retry", "retry", "failed"]


def test_without_a_schedule_the_first_failure_is_the_last(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()

    assert dispatch.attempt(delivery_id, 500, schedule=[]) == "failed"


def test_a_shorter_schedule_ends_what_failed_more_often(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    for _ in range(3):
        dispatch.attempt(delivery_id, 404)
        dispatch.age()

    assert dispatch.attempt(delivery_id, 404, schedule=[5, 5]) == "failed"
    assert dispatch.delivery(delivery_id)["failures"] == 4


@pytest.mark.parametrize(
    ("status", "waited"), [(429, 700), (502, 700), (503, 700), (504, 700), (500, 5), (404, 5)]
)
def test_it_waits_as_long_as_it_is_asked_to(dispatch: Dispatch, status: int, waited: int) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")

    dispatch.finish(delivery_id, number, status, retry_after="700")

    due = dispatch.delivery(delivery_id)["next_attempt_at"] - before
    assert timedelta(seconds=waited) <= due < timedelta(seconds=waited + 60)
    assert dispatch.waits_for_job(delivery_id) == (waited < 600)


def test_it_never_comes_back_sooner_than_the_schedule_says(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")

    dispatch.finish(delivery_id, number, 503, retry_after="1", schedule=[100])

    assert dispatch.delivery(delivery_id)["next_attempt_at"] - before >= timedelta(seconds=100)


def test_a_retry_has_a_job_at_its_time(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.attempt(delivery_id, 503)

    delivery = dispatch.delivery(delivery_id)
    job = dispatch.jobs(delivery_id)[-1]
    assert delivery["job_id"] == job["id"]
    assert job["scheduled_at"] == delivery["next_attempt_at"]


def test_410_disables_the_endpoint_and_ends_the_delivery(dispatch: Dispatch) -> None:
    delivery_id, waiting = dispatch.deliveries(2)

    assert dispatch.attempt(delivery_id, 410) == "disabled"

    [endpoint] = dispatch.portfolio.rows("webhook_endpoint")
    assert endpoint["status"] == "disabled"
    assert dispatch.delivery(delivery_id)["status"] == "failed"
    assert dispatch.delivery(waiting)["status"] == "cancelled"


def test_five_days_without_a_success_disable_it(dispatch: Dispatch) -> None:
    delivery_id, waiting = dispatch.deliveries(2)
    [endpoint] = dispatch.portfolio.rows("webhook_endpoint")
    now: datetime = dispatch.owner.value("SELECT now()")
    dispatch.set_endpoint(endpoint["id"], failing_since=now - timedelta(days=5, seconds=-60))
    assert dispatch.attempt(delivery_id, 404) == "retry"
    dispatch.age()
    dispatch.set_endpoint(endpoint["id"], failing_since=now - timedelta(days=5))

    assert dispatch.attempt(delivery_id, 404) == "disabled"

    assert dispatch.endpoint(endpoint["id"])["status_reason"] == "It took nothing for five days."
    assert dispatch.statuses(endpoint["id"]) == ["cancelled", "cancelled"]
    assert dispatch.delivery(waiting)["attempts"] == 0


def test_a_success_after_five_days_disables_nothing(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    [endpoint] = dispatch.portfolio.rows("webhook_endpoint")
    dispatch.owner.execute(
        "UPDATE webhook_endpoint SET failing_since = now() - interval '6 days' WHERE id = %s",
        endpoint["id"],
    )

    assert dispatch.attempt(delivery_id) == "delivered"
    assert dispatch.endpoint(endpoint["id"])["status"] == "active"


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "delivered"), (503, "cancelled"), (410, "cancelled")]
)
def test_under_way_while_its_endpoint_was_disabled(
    dispatch: Dispatch, status: int, outcome: str
) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    dispatch.disable(dispatch.delivery(delivery_id)["endpoint_id"])
    assert dispatch.delivery(delivery_id)["status"] == "pending"

    assert dispatch.finish(delivery_id, number, status) == outcome

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["last_status_code"]) == (outcome, status)
    # Said once.
    assert dispatch.types().count("endpoint.disabled") == 1


@pytest.mark.parametrize(("status", "outcome"), [(200, "delivered"), (503, "cancelled")])
def test_under_way_while_its_customer_was_suspended(
    dispatch: Dispatch, status: int, outcome: str
) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    suspend(dispatch.portfolio)

    assert dispatch.finish(delivery_id, number, status) == outcome
    assert dispatch.delivery(delivery_id)["status"] == outcome


def test_under_way_while_its_endpoint_was_paused(dispatch: Dispatch) -> None:
    failing, taken = dispatch.deliveries(2)
    numbers = [dispatch.start(delivery_id) for delivery_id in (failing, taken)]
    dispatch.pause(dispatch.delivery(failing)["endpoint_id"])

    assert dispatch.finish(taken, numbers[1]) == "delivered"
    assert dispatch.finish(failing, numbers[0], 503) == "retry"
    assert dispatch.delivery(failing)["job_id"] is None


@pytest.mark.parametrize("status", [200, 410, 503])
def test_who_was_taken_over_changes_nothing(dispatch: Dispatch, status: int) -> None:
    [delivery_id] = dispatch.deliveries()
    lost = dispatch.start(delivery_id)
    dispatch.age()
    successor = dispatch.start(delivery_id)
    before = dispatch.snapshot(), dispatch.jobs()

    assert dispatch.finish(delivery_id, lost, status) == "stale"
    assert dispatch.finish(delivery_id, successor + 1, status) == "stale"

    assert (dispatch.snapshot(), dispatch.jobs()) == before
    assert dispatch.finish(delivery_id, successor) == "delivered"


def test_nobody_finishes_twice(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    dispatch.finish(delivery_id, number, 503)
    before = dispatch.snapshot(), dispatch.jobs()

    assert dispatch.finish(delivery_id, number) == "stale"
    assert (dispatch.snapshot(), dispatch.jobs()) == before


def test_of_many_who_finish_the_same_attempt_one_does(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    with open_connections(database_url, 8) as connections:
        outcomes = do_together(
            connections, [lambda d: dispatch.finish(delivery_id, number, database=d)] * 8
        )

    assert sorted(outcomes) == ["delivered"] + ["stale"] * 7
    assert len(dispatch.attempts(delivery_id)) == 1


def test_late_but_not_taken_over_it_still_counts(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    dispatch.age()

    assert dispatch.finish(delivery_id, number) == "delivered"


def test_an_attempt_began_when_it_was_let_through(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    number = dispatch.start(delivery_id)
    after: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    dispatch.finish(delivery_id, number)

    [attempt] = dispatch.attempts(delivery_id)
    assert before < attempt["started_at"] < after


def test_nobody_elses_is_found(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    other = make_dispatch()
    [delivery_id] = other.deliveries()
    number = other.start(delivery_id)

    assert dispatch.finish(delivery_id, number) == "stale"
    assert other.finish(delivery_id, number) == "delivered"


def test_another_customers_context_is_refused(
    dispatch: Dispatch, make_dispatch: MakeDispatch, connect: Connect
) -> None:
    database = Database(connect())
    database.execute(
        "SELECT set_config('app.customer_id', %s, false)", f"{make_dispatch().customer_id}"
    )
    with refused("PD003"):
        dispatch.finish(1, 1, database=database)
    database.execute("RESET app.customer_id")
    database.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    with refused("PD001"):
        dispatch.finish(1, 1, 503, database=database)
