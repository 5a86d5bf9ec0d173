"""`tenancy.stop_suspended`: what waits for the worker ends when its customer is suspended."""

from datetime import date
from typing import Any

import pytest

from core import functions, tasks
from core.attempts import JobFailed
from tests.acceptance.together import DatabaseUrl, open_connections
from tests.database import Database
from tests.ingest.loading import load, row
from tests.ingest.receiving import activate, announce, as_file, receive, suspend, upload
from tests.portfolio import Portfolio
from tests.webhooks.dispatch import Dispatch

DAY = date(2026, 6, 1)
SUSPENDED = ("failed", "the customer was suspended")


def request(portfolio: Portfolio, as_of: date = DAY) -> int:
    return functions.drift_request_run(customer_id=portfolio.customer_id, as_of=as_of)


def jobs(portfolio: Portfolio) -> list[tuple[str, str]]:
    return [
        (str(task), str(status))
        for task, status in portfolio.owner.execute(
            "SELECT task_name, status::text FROM procrastinate_jobs"
            " WHERE args ->> 'customer_id' = %s ORDER BY id",
            str(portfolio.customer_id),
        )
    ]


def verified(portfolio: Portfolio) -> list[dict[str, Any]]:
    return [
        found
        for found in portfolio.worker.dicts("SELECT * FROM maintenance.verify()")
        if found["customer_id"] == portfolio.customer_id
    ]


def test_waiting_runs_and_uploads_fail_and_their_jobs_are_cancelled(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    spared = Portfolio(owner, worker)
    for customer in (portfolio, spared):
        request(customer)
        started = request(customer, date(2026, 6, 2))
        functions.drift_start_run(customer_id=customer.customer_id, run_id=started)
        receive(customer, as_file(row()))
        announce(customer, b"")
    before = {table: spared.rows(table) for table in ("drift_run", "upload", "upload_chunk")}

    suspend(portfolio)

    for ended in (*portfolio.rows("drift_run"), *portfolio.rows("upload")):
        assert (ended["status"], ended["error"]) == SUSPENDED
        assert ended["finished_at"] is not None
    assert portfolio.rows("upload_chunk") == []
    assert {status for _, status in jobs(portfolio)} == {"cancelled"}
    assert verified(portfolio) == []
    assert {table: spared.rows(table) for table in before} == before
    assert {status for _, status in jobs(spared)} == {"todo"}


def test_deliveries_that_wait_are_cancelled_and_those_under_way_end_by_themselves(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    dispatch, spared = Dispatch(portfolio), Dispatch(Portfolio(owner, worker))
    waiting, retried, under_way, delivered = dispatch.deliveries(4)
    dispatch.attempt(retried, 404)
    dispatch.attempt(delivered)
    number = dispatch.start(under_way)
    spared.deliveries(2)
    before = spared.snapshot(), spared.jobs()

    suspend(portfolio)

    for delivery_id in (waiting, retried):
        delivery = dispatch.delivery(delivery_id)
        assert (delivery["status"], delivery["last_error"]) == ("cancelled", SUSPENDED[1])
        assert delivery["job_id"] is delivery["next_attempt_at"] is None
    assert dispatch.delivery(delivered)["status"] == "delivered"
    assert dispatch.finish(under_way, number, 404) == "cancelled"
    assert dispatch.endpoint(dispatch.delivery(waiting)["endpoint_id"])["status"] == "active"
    assert (spared.snapshot(), spared.jobs()) == before


def test_once_it_is_active_again_what_was_cancelled_can_be_sent(portfolio: Portfolio) -> None:
    dispatch = Dispatch(portfolio)
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    suspend(portfolio)
    missed = dispatch.publish()
    activate(portfolio)
    # What the suspension ended is told, and so is this.
    dispatch.publish()

    dispatch.recover(endpoint_id)

    told = {dispatch.delivery(d)["event_id"] for d in dispatch.ids_of(endpoint_id)}
    assert missed in told
    assert told == {event["id"] for event in dispatch.events()}
    assert set(dispatch.statuses(endpoint_id)) == {"pending"}


def test_it_does_not_wait_for_an_attempt_that_is_being_finished(
    portfolio: Portfolio, worker: Database, database_url: DatabaseUrl
) -> None:
    dispatch = Dispatch(portfolio)
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    with open_connections(database_url, 1) as [finishing]:
        finishing.execute("BEGIN")
        dispatch.finish(delivery_id, number, database=finishing)
        worker.execute("SET lock_timeout = '1ms'")
        try:
            suspend(portfolio)
        finally:
            worker.execute("RESET lock_timeout")
        finishing.execute("COMMIT")

    assert dispatch.delivery(delivery_id)["status"] == "delivered"


def test_what_is_finished_stays(portfolio: Portfolio) -> None:
    load(portfolio, row())
    portfolio.owner.execute(
        "UPDATE upload SET status = 'failed', error = 'First.', finished_at = now() WHERE id = %s",
        portfolio.upload_id,
    )
    portfolio.detect(DAY)
    before = {table: portfolio.rows(table) for table in ("drift_run", "upload")}

    suspend(portfolio)

    assert {table: portfolio.rows(table) for table in before} == before


def test_once_it_is_active_again_both_can_be_asked_for_anew(portfolio: Portfolio) -> None:
    run_id, upload_id = request(portfolio), receive(portfolio, as_file(row()))
    suspend(portfolio)
    activate(portfolio)

    assert request(portfolio) != run_id
    again = receive(portfolio, as_file(row()))
    tasks.load_upload(customer_id=portfolio.customer_id, upload_id=again)

    assert upload(portfolio, upload_id)["status"] == "failed"
    assert upload(portfolio, again)["status"] == "completed"


def test_it_does_not_wait_for_a_load_that_is_at_it(
    portfolio: Portfolio, worker: Database, database_url: DatabaseUrl
) -> None:
    upload_id = receive(portfolio, as_file(row()))
    with open_connections(database_url, 1) as [loading]:
        loading.execute("BEGIN")
        loading.execute("SELECT ingest.take_upload(%s, %s)", portfolio.customer_id, upload_id)
        worker.execute("SET lock_timeout = '1ms'")
        try:
            suspend(portfolio)
        finally:
            worker.execute("RESET lock_timeout")
        # It is killed, and the next worker gets its job.
        loading.execute("ROLLBACK")

    with pytest.raises(JobFailed, match="Customer suspended"):
        tasks.load_upload(customer_id=portfolio.customer_id, upload_id=upload_id)
    assert upload(portfolio, upload_id)["status"] == "failed"


@pytest.mark.parametrize("task", ["detect", "remap"])
def test_a_job_that_started_before_fails_and_is_not_repeated(
    portfolio: Portfolio, task: str
) -> None:
    suspend(portfolio)

    with pytest.raises(JobFailed, match=r"Customer suspended \(PD005\)"):
        getattr(tasks, task)(customer_id=portfolio.customer_id)
    assert portfolio.rows("drift_run") == []
    assert jobs(portfolio) == []
