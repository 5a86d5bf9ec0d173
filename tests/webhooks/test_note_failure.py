"""`webhooks.note_failure` and `note_success`: the breaker, and how an endpoint is doing."""

from datetime import datetime, timedelta

import pytest

from tests.acceptance.together import DatabaseUrl, open_connections
from tests.webhooks.dispatch import Dispatch

# A receiver that is there says these of what it is sent; it is not there, or not well, with those.
REFUSALS = (300, 302, 400, 401, 404, 409, 413, 422)
UNAVAILABLE = (None, 408, 429, 500, 502, 503, 504, 599)


def note(dispatch: Dispatch, endpoint_id: int, status: int | None, wait: str | None = None) -> None:
    dispatch.owner.execute(
        "SELECT webhooks.note_failure(%s, %s, %s, %s::interval)",
        dispatch.customer_id,
        endpoint_id,
        status,
        wait,
    )


def noted(dispatch: Dispatch, endpoint_id: int, status: int | None, wait: str | None = None) -> int:
    """For how many seconds an endpoint is left alone after a failure; 0 if it isn't.

    Whatever it was left alone for before is over.
    """
    dispatch.age()
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    note(dispatch, endpoint_id, status, wait)
    after: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    until: datetime | None = dispatch.endpoint(endpoint_id)["blocked_until"]
    if until is None:
        return 0
    seconds = round((until - before).total_seconds() - (after - before).total_seconds() / 2)
    assert before <= until - timedelta(seconds=seconds) <= after
    return seconds


def test_from_the_fifth_in_a_row_on_it_is_left_alone_for_longer_each_time(
    dispatch: Dispatch,
) -> None:
    endpoint_id = dispatch.create()

    seconds = [noted(dispatch, endpoint_id, None) for _ in range(13)]

    assert seconds == [0, 0, 0, 0, 15, 30, 60, 120, 240, 480, 600, 600, 600]
    assert dispatch.endpoint(endpoint_id)["unavailable_count"] == 13


def test_however_often_it_failed_the_number_can_be_held(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    dispatch.set_endpoint(endpoint_id, unavailable_count=1_000_000)

    assert noted(dispatch, endpoint_id, 503) == 600


@pytest.mark.parametrize("status", [*UNAVAILABLE, 200, 204])
def test_no_answer_and_a_servers_error_count(dispatch: Dispatch, status: int | None) -> None:
    """So does a success whose answer broke off, which comes here because it is none."""
    endpoint_id = dispatch.create()
    note(dispatch, endpoint_id, status)

    assert dispatch.endpoint(endpoint_id)["unavailable_count"] == 1


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_proves_that_it_is_there(dispatch: Dispatch, status: int) -> None:
    endpoint_id = dispatch.create()
    for _ in range(6):
        note(dispatch, endpoint_id, 500)
    since = dispatch.endpoint(endpoint_id)["failing_since"]

    assert noted(dispatch, endpoint_id, status) == 0

    endpoint = dispatch.endpoint(endpoint_id)
    assert (endpoint["unavailable_count"], endpoint["failing_since"]) == (0, since)


def test_it_waits_as_long_as_it_is_asked_to_but_ten_minutes_at_most(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()

    waits = ("0", "20 s", "600 s", "24 hours", "1 s", None)
    seconds = [noted(dispatch, endpoint_id, 429, wait) for wait in waits]

    # The fifth and sixth in a row ask for less than the breaker does.
    assert seconds == [0, 20, 600, 600, 15, 30]


def test_what_was_under_way_when_the_breaker_opened_counts_for_nothing(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    for _ in range(4):
        note(dispatch, endpoint_id, None)
    assert noted(dispatch, endpoint_id, None) == 15
    until = dispatch.endpoint(endpoint_id)["blocked_until"]

    for _ in range(5):
        note(dispatch, endpoint_id, None)

    endpoint = dispatch.endpoint(endpoint_id)
    assert (endpoint["unavailable_count"], endpoint["blocked_until"]) == (5, until)
    assert noted(dispatch, endpoint_id, None) == 30


@pytest.mark.parametrize(("later", "wait"), [(503, None), (None, None), (429, "20 s")])
def test_a_later_failure_shortens_no_wait_that_was_asked_for(
    dispatch: Dispatch, later: int | None, wait: str | None
) -> None:
    endpoint_id = dispatch.create()
    assert noted(dispatch, endpoint_id, 429, "300 s") == 300
    until = dispatch.endpoint(endpoint_id)["blocked_until"]

    note(dispatch, endpoint_id, later, wait)
    assert dispatch.endpoint(endpoint_id)["blocked_until"] == until

    note(dispatch, endpoint_id, 429, "500 s")
    assert dispatch.endpoint(endpoint_id)["blocked_until"] > until


def test_the_first_failure_since_the_last_success_is_kept(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    note(dispatch, endpoint_id, 404)
    since = dispatch.endpoint(endpoint_id)["failing_since"]
    assert since is not None
    note(dispatch, endpoint_id, 503)
    assert dispatch.endpoint(endpoint_id)["failing_since"] == since


def succeed(dispatch: Dispatch, endpoint_id: int) -> None:
    dispatch.publish()
    assert dispatch.attempt(dispatch.ids_of(endpoint_id)[-1]) == "delivered"


def test_a_success_makes_it_healthy(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    for _ in range(7):
        note(dispatch, endpoint_id, None)
    dispatch.age()

    succeed(dispatch, endpoint_id)

    endpoint = dispatch.endpoint(endpoint_id)
    assert (endpoint["unavailable_count"], endpoint["failing_since"]) == (0, None)
    assert endpoint["blocked_until"] is None
    assert endpoint["last_success_at"] is not None


def test_the_last_success_is_right_to_a_minute(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create()
    succeed(dispatch, endpoint_id)
    first = dispatch.endpoint(endpoint_id)["last_success_at"]
    succeed(dispatch, endpoint_id)
    assert dispatch.endpoint(endpoint_id)["last_success_at"] == first

    dispatch.set_endpoint(endpoint_id, last_success_at=first - timedelta(seconds=61))
    succeed(dispatch, endpoint_id)
    assert dispatch.endpoint(endpoint_id)["last_success_at"] > first


def test_a_success_does_not_wait_for_whoever_edits_the_endpoint(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    with open_connections(database_url, 2) as [editing, sending]:
        editing.execute("BEGIN")
        editing.execute("UPDATE webhook_endpoint SET description = '' WHERE id = %s", endpoint_id)
        sending.execute("SET lock_timeout = '1ms'")

        number = dispatch.begin(delivery_id, sending)["attempt"]
        assert dispatch.finish(delivery_id, number, database=sending) == "delivered"


def test_health_is_nothing_for_the_audit_trail(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    before = len(dispatch.portfolio.rows("audit_entry"))

    dispatch.attempt(delivery_id, 503)
    dispatch.age()
    dispatch.attempt(delivery_id)

    assert len(dispatch.portfolio.rows("audit_entry")) == before
