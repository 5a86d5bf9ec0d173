"""How the worker tries again: at once, and what a dead worker left."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError
from procrastinate import App, PsycopgConnector

from core import attempts
from core.attempts import MAX_ATTEMPTS, JobFailed, attempt, retry_stalled
from tests.database import Database

DEAD = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '31 s')"
ALIVE = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"
JOB = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id, attempts,
        queueing_lock)
    VALUES ('test_attempts', %s, '{"customer_id": 1}', 'doing', %s, %s, %s) RETURNING id
"""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSES", (0.0, 0.0, 0.0))


def failing(*errors: Exception) -> tuple[Callable[[], None], list[Exception]]:
    """Work that raises these errors, one at each call, and then succeeds; and those left."""
    left = list(errors)

    def work() -> None:
        if left:
            raise left.pop(0)

    return work, left


def test_what_succeeds_is_done_once() -> None:
    calls: list[int] = []

    attempt(lambda: calls.append(1))

    assert calls == [1]


def test_what_may_pass_is_tried_again() -> None:
    work, left = failing(OperationalError("gone"), OperationalError("gone"))
    given_up: list[str] = []

    attempt(work, give_up=given_up.append)

    assert (left, given_up) == ([], [])


def test_what_does_not_pass_is_given_up() -> None:
    work, left = failing(*[OperationalError("gone")] * 5)
    given_up: list[str] = []

    with pytest.raises(JobFailed, match="The connection to the database was lost"):
        attempt(work, give_up=given_up.append)

    assert len(left) == 1
    assert given_up == ["The connection to the database was lost."]


@pytest.mark.parametrize("error", [ValueError("Jane Doe"), DatabaseError("Jane Doe")])
def test_what_stays_is_given_up_at_once(error: Exception) -> None:
    work, left = failing(error, error)
    given_up: list[str] = []

    with pytest.raises(JobFailed) as failed:
        attempt(work, give_up=given_up.append)

    assert len(left) == 1
    assert given_up == [str(failed.value)]
    assert "Jane" not in str(failed.value)
    assert failed.value.__context__ is None


# What dead workers left


@pytest.fixture
def queue(owner: Database) -> Iterator[Database]:
    """The queue with no other stalled job in it."""
    owner.execute("DELETE FROM procrastinate_jobs WHERE status = 'doing'")
    yield owner
    owner.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'test_attempts'")
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


def reap(database_url: Callable[[str], str], give_up: dict[str, Any] | None = None) -> None:
    """Do what the schedule does, with a worker's connection."""

    async def run() -> None:
        app = App(connector=PsycopgConnector(conninfo=database_url("claimdrift_worker")))
        async with app.open_async():
            await retry_stalled(app.job_manager, give_up or {})

    asyncio.run(run())


def test_a_dead_workers_job_is_queued_again(
    queue: Database, database_url: Callable[[str], str]
) -> None:
    job_id = stalled(queue)

    reap(database_url)

    assert state(queue, job_id) == ("todo", 1)


def test_a_job_whose_worker_is_unknown_is_queued_again(
    queue: Database, database_url: Callable[[str], str]
) -> None:
    job_id = stalled(queue)
    # A worker that starts removes those that are dead.
    queue.execute("DELETE FROM procrastinate_workers")

    reap(database_url)

    assert state(queue, job_id) == ("todo", 1)


def test_a_living_workers_job_is_left_alone(
    queue: Database, database_url: Callable[[str], str]
) -> None:
    job_id = stalled(queue, worker=ALIVE)

    reap(database_url)

    assert state(queue, job_id) == ("doing", 0)


def test_where_the_same_is_waiting_already_it_ends(
    queue: Database, database_url: Callable[[str], str]
) -> None:
    job_id = stalled(queue, lock="test_attempts")
    waiting = queue.value(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " VALUES ('test_attempts', 'core.tasks.detect', 'test_attempts') RETURNING id"
    )
    other = stalled(queue)

    reap(database_url)

    assert state(queue, job_id)[0] == "aborted"
    assert state(queue, waiting) == ("todo", 0)
    assert state(queue, other) == ("todo", 1)


def test_a_job_that_kills_its_workers_is_given_up(
    queue: Database, database_url: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[dict[str, Any]] = []
    spared = stalled(queue, tried=MAX_ATTEMPTS - 2)
    job_id = stalled(queue, tried=MAX_ATTEMPTS - 1)
    other = stalled(queue, tried=MAX_ATTEMPTS - 1, task="core.tasks.remap")

    reap(database_url, {"core.tasks.detect": lambda **arguments: ended.append(arguments)})

    assert state(queue, spared) == ("todo", MAX_ATTEMPTS - 1)
    assert state(queue, job_id)[0] == state(queue, other)[0] == "failed"
    assert ended == [
        {"customer_id": 1, "error": "The worker died 5 times while it was at it."},
    ]
    assert f"Job {job_id} (core.tasks.detect) was given up" in caplog.text


def test_two_workers_queue_it_once(queue: Database, database_url: Callable[[str], str]) -> None:
    jobs = [stalled(queue) for _ in range(5)]

    async def run() -> None:
        app = App(connector=PsycopgConnector(conninfo=database_url("claimdrift_worker")))
        async with app.open_async():
            await asyncio.gather(*(retry_stalled(app.job_manager, {}) for _ in range(4)))

    asyncio.run(run())

    assert [state(queue, job_id) for job_id in jobs] == [("todo", 1)] * 5
