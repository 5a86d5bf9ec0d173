"""The schedule, and what it is made of; what each other job does is tested with its function."""

from datetime import date

from procrastinate.contrib.django import app

from core import functions, tasks
from core.attempts import MAX_ATTEMPTS
from tests.database import Database
from tests.ingest.receiving import receive, upload
from tests.portfolio import Portfolio

DYING = "UPDATE procrastinate_jobs SET status = 'doing', attempts = %s WHERE queueing_lock = %s"


def test_the_schedule() -> None:
    schedule = {name: task.cron for (name, _), task in app.periodic_registry.periodic_tasks.items()}

    assert schedule == {
        "core.tasks.queue_nightly": "*/10 * * * *",
        "core.tasks.prune": "30 3 * * *",
        "core.tasks.requeue_deliveries": "* * * * *",
        "core.tasks.retry_stalled": "* * * * *",
    }


def test_retention_goes_on_until_nothing_is_left(owner: Database) -> None:
    for number in range(3):
        owner.execute(
            "INSERT INTO login_throttle VALUES (%s, now() - interval '2 days', 1)",
            f"test_tasks-{number}",
        )

    tasks.prune(timestamp=0)

    assert owner.value("SELECT count(*) FROM login_throttle WHERE key ^@ 'test_tasks'") == 0
    assert functions.maintenance_prune() == 0


def test_what_kills_every_worker_ends_as_failed(portfolio: Portfolio, owner: Database) -> None:
    owner.execute("DELETE FROM procrastinate_jobs WHERE status = 'doing'")
    upload_id = receive(portfolio, b"content")
    functions.drift_request_run(customer_id=portfolio.customer_id, as_of=date(2026, 6, 1))
    [run] = portfolio.rows("drift_run")
    for lock in (f"upload:{upload_id}", f"run:{run['id']}"):
        owner.execute(DYING, MAX_ATTEMPTS - 1, lock)

    tasks.retry_stalled(timestamp=0)

    error = "The worker died 5 times while it was at it."
    [run] = portfolio.rows("drift_run")
    assert (run["status"], run["error"]) == ("failed", error)
    ended = upload(portfolio, upload_id)
    assert (ended["status"], ended["error"]) == ("failed", error)
    assert portfolio.rows("upload_chunk") == []
    assert owner.execute(
        "SELECT DISTINCT status::text FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
        str(portfolio.customer_id),
    ) == [("failed",)]
