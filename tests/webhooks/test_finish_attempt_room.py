"""`webhooks.finish_attempt` and `has_room`: who leaves room tells who waits for it."""

from typing import Any

import pytest

from tests.acceptance.together import Background, DatabaseUrl, do_together, open_connections
from tests.database import Database
from tests.webhooks.dispatch import Dispatch


def test_the_next_one_is_queued_when_there_is_room(dispatch: Dispatch) -> None:
    first, second, third = dispatch.deliveries(3, max_in_flight=1)
    number = dispatch.start(first)
    for waiting in (second, third):
        assert dispatch.begin(waiting)["decision"] == "postpone"

    dispatch.finish(first, number)

    assert [dispatch.waits_for_job(d) for d in (second, third)] == [True, False]


def test_so_it_is_after_a_failure(dispatch: Dispatch) -> None:
    first, second = dispatch.deliveries(2, max_in_flight=1)
    number = dispatch.start(first)
    dispatch.begin(second)

    dispatch.finish(first, number, 404)

    assert dispatch.waits_for_job(second)


def test_who_waits_for_room_of_the_customer_is_queued_as_well(dispatch: Dispatch) -> None:
    deliveries = dispatch.deliveries(40, max_in_flight=50)
    [elsewhere] = dispatch.deliveries()
    numbers = [dispatch.start(delivery_id) for delivery_id in deliveries]
    assert dispatch.begin(elsewhere)["reason"] == "enough is under way"

    dispatch.finish(deliveries[0], numbers[0])

    assert dispatch.waits_for_job(elsewhere)


def test_no_more_are_queued_for_the_customers_room_than_there_is(dispatch: Dispatch) -> None:
    """Each of the others would find that enough is under way, and be queued with the next one."""
    deliveries = dispatch.deliveries(40, event_types=["alert.opened"], max_in_flight=50)
    numbers = [dispatch.start(delivery_id) for delivery_id in deliveries]
    wanted = {"event_types": ["upload.failed"], "max_in_flight": 50}
    waiting = dispatch.deliveries(20, "upload.failed", **wanted)
    for delivery_id in waiting:
        assert dispatch.begin(delivery_id)["decision"] == "postpone"

    dispatch.finish(deliveries[0], numbers[0])

    assert [dispatch.waits_for_job(d) for d in waiting] == [True] + [False] * 19


def test_a_parking_that_was_not_committed_yet_is_waited_for(
    dispatch: Dispatch, worker: Database, database_url: DatabaseUrl
) -> None:
    """The last one under way ends while another finds that there is no room: one of them acts."""
    first, second = dispatch.deliveries(2, max_in_flight=1)
    number = dispatch.start(first)
    with open_connections(database_url, 2) as [beginning, finishing]:
        beginning.execute("BEGIN")
        assert dispatch.begin(second, beginning)["decision"] == "postpone"
        waiting = Background(finishing, lambda d: dispatch.finish(first, number, database=d))
        waiting.wait_until_blocked(worker)
        beginning.execute("COMMIT")

        assert waiting.join() == "delivered"
    assert dispatch.waits_for_job(second)


@pytest.mark.parametrize("status", [200, 404])
def test_whoever_begins_while_one_is_finishing_is_not_forgotten(
    dispatch: Dispatch, worker: Database, database_url: DatabaseUrl, status: int
) -> None:
    first, second = dispatch.deliveries(2, max_in_flight=1)
    number = dispatch.start(first)
    with open_connections(database_url, 2) as [beginning, finishing]:
        finishing.execute("BEGIN")
        dispatch.finish(first, number, status, database=finishing)
        waiting = Background(beginning, lambda d: dispatch.begin(second, d)["decision"])
        waiting.wait_until_blocked(worker)
        finishing.execute("COMMIT")

        assert waiting.join() == "send"


def test_however_they_meet_nothing_waits_beside_free_room(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    deliveries = dispatch.deliveries(40, max_in_flight=2)

    def work(own: list[int]) -> Any:
        def run(database: Database) -> None:
            for delivery_id in own:
                begun = dispatch.begin(delivery_id, database)
                if begun["decision"] == "send":
                    dispatch.finish(delivery_id, begun["attempt"], database=database)

        return run

    with open_connections(database_url, 8) as connections:
        do_together(connections, [work(deliveries[number::8]) for number in range(8)])

    left = [d for d in deliveries if dispatch.delivery(d)["status"] == "pending"]
    assert sum(dispatch.waits_for_job(d) for d in left) >= min(len(left), 1)
    # One after the other, they bring themselves to an end without the sweep.
    while left:
        queued = [d for d in left if dispatch.waits_for_job(d)]
        assert queued
        for delivery_id in queued:
            dispatch.attempt(delivery_id)
        left = [d for d in left if d not in queued]


def test_while_there_is_room_a_success_waits_for_nobody(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    first, second = dispatch.deliveries(2)
    number = dispatch.start(first)
    with open_connections(database_url, 2) as [beginning, finishing]:
        beginning.execute("BEGIN")
        dispatch.begin(second, beginning)
        finishing.execute("SET lock_timeout = '1ms'")

        assert dispatch.finish(first, number, database=finishing) == "delivered"
