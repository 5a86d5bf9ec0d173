"""`drift.queue_detection`: one waiting job for a customer and day."""

from datetime import date
from typing import Any

import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

QUEUE = "SELECT drift.queue_detection(p_customer_id => %s, p_as_of => %s, p_trigger => 'upload')"
FETCH = "SELECT (procrastinate_fetch_job_v2(ARRAY['detection'], NULL)).id"


@pytest.fixture(autouse=True)
def _empty_queue(owner: Database) -> None:
    owner.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'detection'")


def queue(database: Database, portfolio: Portfolio, as_of: date | None = None) -> int | None:
    job_id: int | None = database.value(QUEUE, portfolio.customer_id, as_of)
    return job_id


def test_the_job_carries_customer_day_and_trigger(portfolio: Portfolio, worker: Database) -> None:
    day = date(2026, 6, 1)

    job_id = queue(worker, portfolio, day)

    job = worker.one("SELECT * FROM procrastinate_jobs WHERE id = %s", job_id)
    assert (job["queue_name"], job["task_name"]) == ("detection", "core.tasks.detect")
    assert (job["status"], job["scheduled_at"]) == ("todo", None)
    assert job["args"] == {
        "customer_id": portfolio.customer_id,
        "as_of": "2026-06-01",
        "trigger": "upload",
    }


def test_the_same_job_waits_once(
    portfolio: Portfolio, worker: Database, make_portfolio: Any
) -> None:
    assert queue(worker, portfolio) is not None
    assert queue(worker, portfolio) is None
    assert queue(worker, portfolio, date(2026, 6, 1)) is not None
    assert queue(worker, portfolio, date(2026, 6, 2)) is not None
    assert queue(worker, portfolio, date(2026, 6, 2)) is None
    assert queue(worker, make_portfolio()) is not None


def test_a_job_that_has_started_is_queued_again(portfolio: Portfolio, worker: Database) -> None:
    started = queue(worker, portfolio)
    assert worker.value(FETCH) == started

    assert queue(worker, portfolio) not in (None, started)


def test_it_is_queued_only_when_the_transaction_commits(
    portfolio: Portfolio, worker: Database, connect: Connect
) -> None:
    connection = connect()
    connection.autocommit = False
    assert queue(Database(connection), portfolio) is not None
    connection.rollback()

    assert worker.value(FETCH) is None


def test_a_waiting_job_waits_for_everyone_who_asked_for_it(
    portfolio: Portfolio, worker: Database, connect: Connect
) -> None:
    job_id = queue(worker, portfolio)
    connection = connect()
    connection.autocommit = False
    assert queue(Database(connection), portfolio) is None

    # What this transaction wrote isn't there yet.
    assert worker.value(FETCH) is None
    connection.commit()

    assert worker.value(FETCH) == job_id


def test_a_tenant_queues_for_itself_only(
    portfolio: Portfolio, connect: Connect, make_portfolio: Any
) -> None:
    other = make_portfolio()
    web = connect("claimdrift_web")

    with as_tenant(web, portfolio.customer_id) as tenant:
        assert queue(tenant, portfolio) is not None
    with as_tenant(web, portfolio.customer_id) as tenant, refused("PD003"):
        queue(tenant, other)
