"""`maintenance.requeue_deliveries`: the sweep queues what is due and has no job."""

import psycopg2.errors
import pytest

from tests.acceptance.together import DatabaseUrl, do_together, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.receiving import suspend
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch

SWEEP = "SELECT maintenance.requeue_deliveries()"


@pytest.fixture
def dispatch(portfolio: Portfolio) -> Dispatch:
    """Nothing of any other test is left to be queued."""
    portfolio.owner.execute("TRUNCATE webhook_attempt, webhook_delivery")
    return Dispatch(portfolio)


def lose_jobs(dispatch: Dispatch, status: str | None = None) -> None:
    """Delete the jobs, or end them with a status."""
    ids = [job["id"] for job in dispatch.jobs()]
    if status is None:
        dispatch.owner.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s)", ids)
    else:
        dispatch.owner.execute(
            "UPDATE procrastinate_jobs SET status = %s WHERE id = ANY(%s)", status, ids
        )


@pytest.mark.parametrize("status", [None, "failed", "cancelled", "succeeded", "aborted"])
def test_what_lost_its_job_gets_another(
    dispatch: Dispatch, worker: Database, status: str | None
) -> None:
    [delivery_id] = dispatch.deliveries()
    lose_jobs(dispatch, status)

    assert worker.value(SWEEP) == 1

    assert dispatch.waits_for_job(delivery_id)
    assert worker.value(SWEEP) == 0


@pytest.mark.parametrize("status", ["todo", "doing"])
def test_what_has_one_gets_none(dispatch: Dispatch, worker: Database, status: str) -> None:
    dispatch.deliveries()
    lose_jobs(dispatch, status)
    try:
        assert worker.value(SWEEP) == 0
        assert len(dispatch.jobs()) == 1
    finally:
        lose_jobs(dispatch)


def test_a_lost_attempt_is_ended_and_its_delivery_queued(
    dispatch: Dispatch, worker: Database
) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.start(delivery_id)
    assert worker.value(SWEEP) == 0
    dispatch.age()

    assert worker.value(SWEEP) == 1

    assert dispatch.waits_for_job(delivery_id)
    delivery = dispatch.delivery(delivery_id)
    assert (delivery["leased_until"], delivery["failures"]) == (None, 1)
    [lost] = dispatch.attempts(delivery_id)
    assert lost["error"].startswith("Nothing is known of it")
    assert dispatch.finish(delivery_id, 1) == "stale"


def test_a_retry_of_hours_later_is_queued_once_it_is_due(
    dispatch: Dispatch, worker: Database
) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.attempt(delivery_id, 503, schedule=[3600])
    assert dispatch.delivery(delivery_id)["job_id"] is None
    assert worker.value(SWEEP) == 0
    dispatch.age()

    assert worker.value(SWEEP) == 1
    assert dispatch.waits_for_job(delivery_id)


def test_a_paused_endpoints_is_left_untouched(dispatch: Dispatch, worker: Database) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.pause(dispatch.delivery(delivery_id)["endpoint_id"])
    dispatch.begin(delivery_id)
    before = dispatch.snapshot()

    assert worker.value(SWEEP) == 0
    assert dispatch.snapshot() == before


def test_no_more_than_there_is_room_for(dispatch: Dispatch, worker: Database) -> None:
    deliveries = dispatch.deliveries(8, max_in_flight=3)
    dispatch.start(deliveries[0])
    lose_jobs(dispatch)

    assert worker.value(SWEEP) == 2

    assert [dispatch.waits_for_job(d) for d in deliveries] == [False, True, True] + [False] * 5
    # What has a job already counts.
    assert worker.value(SWEEP) == 0
    dispatch.start(deliveries[1])
    dispatch.start(deliveries[2])
    assert worker.value(SWEEP) == 0


def test_while_a_breaker_is_open_nothing_and_then_one(dispatch: Dispatch, worker: Database) -> None:
    deliveries = dispatch.deliveries(3)
    endpoint_id = dispatch.delivery(deliveries[0])["endpoint_id"]
    until = worker.value("SELECT now() + interval '30 s'")
    dispatch.set_endpoint(endpoint_id, unavailable_count=5, blocked_until=until)
    for delivery_id in deliveries:
        dispatch.begin(delivery_id)
    assert worker.value(SWEEP) == 0

    dispatch.age()

    assert worker.value(SWEEP) == 1
    assert [dispatch.waits_for_job(d) for d in deliveries] == [True, False, False]
    # It is there again: the rest follows at once.
    dispatch.attempt(deliveries[0])
    assert [dispatch.waits_for_job(d) for d in deliveries[1:]] == [True, True]


def test_a_lost_attempt_at_a_disabled_endpoint_does_not_wait_for_ever(
    dispatch: Dispatch, worker: Database
) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    dispatch.start(delivery_id)
    dispatch.disable(endpoint_id)
    dispatch.age()

    worker.execute(SWEEP)

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["last_error"]) == ("cancelled", "the endpoint is disabled")
    assert len(dispatch.attempts(delivery_id)) == 1


def test_a_suspended_customers_ends(dispatch: Dispatch, worker: Database) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.start(delivery_id)
    suspend(dispatch.portfolio)
    dispatch.age()

    worker.execute(SWEEP)
    dispatch.begin(delivery_id)

    assert dispatch.delivery(delivery_id)["status"] == "cancelled"


def test_any_number_of_them_at_once_queue_each_delivery_once(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    deliveries = dispatch.deliveries(10)
    lose_jobs(dispatch)
    with open_connections(database_url, 6) as connections:
        queued = do_together(connections, [lambda d: d.value(SWEEP)] * 6)

    assert sum(queued) == 10
    assert len(dispatch.jobs()) == 10
    assert all(dispatch.waits_for_job(d) for d in deliveries)


def test_it_is_the_workers(connect: Connect) -> None:
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    database.execute(SWEEP)
    web = Database(connect("claimdrift_web"))
    web.execute("SET ROLE claimdrift_tenant")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        web.execute(SWEEP)


def test_another_isolation_level_is_refused(dispatch: Dispatch, connect: Connect) -> None:
    dispatch.deliveries()
    lose_jobs(dispatch)
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    with refused("PD001"):
        database.execute(SWEEP)
