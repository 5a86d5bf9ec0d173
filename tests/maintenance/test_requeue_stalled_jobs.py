"""What dead workers left."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from core import functions, tasks
from core.functions import StalledJob
from tests.database import Database

MOST_ATTEMPTS = 5
DEAD = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '31 s')"
ALIVE = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"
JOB = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id, attempts,
        queueing_lock)
    VALUES ('test_stalled', %s, '{"customer_id": 1}', 'doing', %s, %s, %s) RETURNING id
"""


@pytest.fixture
def queue(owner: Database) -> Iterator[Database]:
    """The queue with no other stalled job in it."""
    owner.execute("DELETE FROM procrastinate_jobs WHERE status = 'doing'")
    yield owner
    owner.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'test_stalled'")
    owner.execute("DELETE FROM procrastinate_workers")


def stalled(
    queue: Database,
    *,
    worker: str = DEAD,
    task: str = "core.tasks.detect",
    tried: int = 0,
    lock: str | None = None,
) -> int:
    """A job that a worker is doing; its id."""
    worker_id = queue.value(f"{worker} RETURNING id")
    job_id: int = queue.value(JOB, task, worker_id, tried, lock)
    return job_id


def state(queue: Database, job_id: int) -> tuple[str, int]:
    [(status, tried)] = queue.execute(
        "SELECT status::text, attempts FROM procrastinate_jobs WHERE id = %s", job_id
    )
    return status, tried


def reap() -> list[StalledJob]:
    try:
        return functions.maintenance_requeue_stalled_jobs()
    finally:
        connection.close()


def test_a_dead_workers_job_is_queued_again(queue: Database) -> None:
    job_id = stalled(queue)

    assert reap() == [StalledJob(job_id, "core.tasks.detect", "queued")]
    assert state(queue, job_id) == ("todo", 1)
    assert reap() == []


def test_a_job_whose_worker_is_unknown_is_queued_again(queue: Database) -> None:
    job_id = stalled(queue)
    # A worker that starts removes those that are dead.
    queue.execute("DELETE FROM procrastinate_workers")

    reap()

    assert state(queue, job_id) == ("todo", 1)


def test_a_living_workers_job_is_left_alone(queue: Database) -> None:
    job_id = stalled(queue, worker=ALIVE)

    assert reap() == []
    assert state(queue, job_id) == ("doing", 0)


def test_where_the_same_is_waiting_already_it_ends(queue: Database) -> None:
    job_id = stalled(queue, lock="test_stalled")
    waiting = queue.value(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " VALUES ('test_stalled', 'core.tasks.detect', 'test_stalled') RETURNING id"
    )
    other = stalled(queue)

    outcomes = {job.id: job.outcome for job in reap()}

    assert outcomes == {job_id: "aborted", other: "queued"}
    assert state(queue, job_id)[0] == "aborted"
    assert state(queue, waiting) == ("todo", 0)
    assert state(queue, other) == ("todo", 1)


def test_a_job_that_kills_its_workers_is_given_up(
    queue: Database, caplog: pytest.LogCaptureFixture
) -> None:
    spared = stalled(queue, tried=MOST_ATTEMPTS - 2)
    job_id = stalled(queue, tried=MOST_ATTEMPTS - 1)

    tasks.retry_stalled(timestamp=0)

    assert state(queue, spared) == ("todo", MOST_ATTEMPTS - 1)
    assert state(queue, job_id)[0] == "failed"
    assert f"Job {job_id} (core.tasks.detect) was given up" in caplog.text


def test_four_at_once_queue_it_once(queue: Database) -> None:
    jobs = [stalled(queue) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        found = [job.id for reaped in pool.map(lambda _: reap(), range(4)) for job in reaped]

    assert sorted(found) == jobs
    assert [state(queue, job_id) for job_id in jobs] == [("todo", 1)] * 5
