"""The real worker: uploads, runs and the schedule, and workers that are killed or told to end."""

import gzip
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from core.context import ENTER
from tests.acceptance.working import (
    as_file,
    bury,
    bury_alive,
    connected,
    own_database,
    receive,
    stop,
    wait_for_end,
    wait_until,
    working,
)
from tests.database import Database
from tests.ingest.loading import row
from tests.portfolio import Portfolio

IDLE = """
    SELECT NOT EXISTS (
        SELECT FROM procrastinate_jobs
        WHERE status IN ('todo', 'doing') AND queue_name <> 'schedule'
    )
"""
# A dead worker's job is being done by another one.
TRIED_AGAIN = """
    SELECT EXISTS (
        SELECT FROM procrastinate_jobs
        WHERE status = 'doing' AND attempts = 1 AND task_name = %s AND worker_id IS NOT NULL
    )
"""
# Sessions that wait for a lock that this one holds.
BLOCKED = """
    SELECT count(*) = %s FROM pg_locks
    WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""
LOAD, RUN = "core.tasks.load_upload", "core.tasks.run_requested"


@pytest.fixture(scope="module", autouse=True)
def _database() -> Iterator[None]:
    with own_database():
        yield


@pytest.fixture(scope="module")
def owner(_database: None) -> Iterator[Database]:
    with connected("claimdrift_migrator") as database:
        yield database


@pytest.fixture(scope="module")
def worker(_database: None) -> Iterator[Database]:
    with connected("claimdrift_worker") as database:
        yield database


@pytest.fixture(autouse=True)
def _clean(owner: Database) -> Iterator[None]:
    """Each test finds nothing queued or going on, and leaves a sound database."""
    yield
    for customer in owner.execute("SELECT id FROM customer WHERE status = 'active'"):
        owner.execute("UPDATE customer SET status = 'suspended' WHERE id = %s", *customer)
    owner.execute("DELETE FROM procrastinate_jobs")
    owner.execute("DELETE FROM procrastinate_workers")
    owner.execute("DELETE FROM procrastinate_periodic_defers")


def send(portfolio: Portfolio, content: bytes, chunk: int = 1 << 20) -> int:
    """Send a file as a user of the customer does; the upload's id."""
    with connected("claimdrift_web") as web:
        web.execute("BEGIN")
        web.execute(ENTER, str(portfolio.customer_id), "")
        upload_id = receive(web, portfolio, content, chunk)
        web.execute("COMMIT")
    return upload_id


def statuses(portfolio: Portfolio, table: str) -> list[str]:
    return [found["status"] for found in portfolio.rows(table)]


def tried(portfolio: Portfolio, task: str) -> list[tuple[str, int]]:
    """Status of, and how often was tried, each job of a task."""
    return [
        (str(status), int(tried))
        for status, tried in portfolio.owner.execute(
            "SELECT status::text, attempts FROM procrastinate_jobs WHERE task_name = %s"
            " AND args ->> 'customer_id' = %s ORDER BY id",
            task,
            str(portfolio.customer_id),
        )
    ]


def large_file() -> bytes:
    return as_file(row(claim_number=f"C{n}") for n in range(20_000))


@contextmanager
def held(owner: Database) -> Iterator[None]:
    """Nobody can write claims until this session commits."""
    owner.execute("BEGIN")
    try:
        owner.execute("LOCK TABLE claim IN SHARE MODE")
        yield
    finally:
        owner.execute("COMMIT")


def check_loaded_once(portfolio: Portfolio, upload_id: int) -> None:
    [upload] = [upload for upload in portfolio.rows("upload") if upload["id"] == upload_id]
    assert (upload["status"], upload["rows_inserted"]) == ("completed", 20_000)
    assert len(portfolio.rows("claim")) == 20_000
    assert portfolio.rows("upload_chunk") == []
    runs = [run["trigger"] for run in portfolio.rows("drift_run")]
    assert runs.count("upload") == 1
    assert verified(portfolio.owner) == []


def verified(owner: Database) -> list[dict[str, Any]]:
    return owner.dicts("SELECT * FROM maintenance.verify()")


def history(until: date) -> Iterator[str]:
    """Claims decided up to a day, of which far more are denied in the last two weeks."""
    for day in range(1, 250):
        decided = until - timedelta(day)
        denied = 4 if day <= 14 else 1
        for number in range(8):
            yield row(
                claim_number=f"{day}-{number}",
                submitted_date=str(decided - timedelta(10)),
                decided_date=str(decided),
                outcome="DENIED" if number < denied else "PAID",
            )


def test_files_become_claims_and_claims_alerts(owner: Database, worker: Database) -> None:
    portfolio = Portfolio(owner, worker)
    content = as_file(history(date.today()))
    loaded = send(portfolio, gzip.compress(content, mtime=0), chunk=10_000)
    unreadable = send(portfolio, b"PK\x03\x04")
    repeated = send(portfolio, gzip.compress(content, mtime=0))

    with working() as process:
        wait_until(worker, IDLE, process=process)
        run_id = worker.value("SELECT drift.request_run(%s, NULL)", portfolio.customer_id)
        wait_until(worker, IDLE, process=process)
        logged = stop(process)

    uploads = {found["id"]: found for found in portfolio.rows("upload")}
    assert [uploads[upload_id]["status"] for upload_id in (loaded, unreadable, repeated)] == [
        "completed",
        "failed",
        "repeated",
    ]
    assert uploads[loaded]["rows_inserted"] == 249 * 8
    assert portfolio.rows("upload_chunk") == []
    assert len(portfolio.rows("claim")) == 249 * 8
    [alert] = [a for a in portfolio.rows("alert") if a["cpt_group_id"] is not None]
    assert (alert["metric"], alert["direction"]) == ("DENIAL_RATE", "up")
    runs = {run["id"]: run for run in portfolio.rows("drift_run")}
    assert runs[run_id]["status"] == "completed"
    assert {run["trigger"] for run in runs.values()} - {"nightly"} == {"upload", "api"}
    assert verified(owner) == []
    assert logged == ""


def test_a_worker_killed_while_it_loads_leaves_a_file_that_the_next_loads_once(
    owner: Database, worker: Database
) -> None:
    portfolio = Portfolio(owner, worker)
    upload_id = send(portfolio, large_file(), chunk=100_000)
    with held(owner), working() as killed:
        wait_until(owner, BLOCKED, 1, process=killed)
        bury(killed, worker)
        with working() as process:
            wait_until(worker, TRIED_AGAIN, LOAD, process=process)
            # Only now can anything be written, by whichever session still lives.
            owner.execute("COMMIT")
            wait_until(worker, IDLE, process=process)
            assert stop(process) == ""

    check_loaded_once(portfolio, upload_id)
    assert tried(portfolio, LOAD) == [("succeeded", 2)]


def test_a_worker_that_was_only_away_does_not_load_it_twice(
    owner: Database, worker: Database
) -> None:
    portfolio = Portfolio(owner, worker)
    upload_id = send(portfolio, large_file(), chunk=100_000)
    with held(owner), working() as away:
        wait_until(owner, BLOCKED, 1, process=away)
        away.send_signal(signal.SIGSTOP)
        bury_alive(worker)
        with working() as process:
            wait_until(worker, TRIED_AGAIN, LOAD, process=process)
            owner.execute("COMMIT")
            # Its transaction is still open: the other one waits for it.
            away.send_signal(signal.SIGCONT)
            wait_until(worker, IDLE, process=process)
            stop(process)

    check_loaded_once(portfolio, upload_id)


def test_a_worker_killed_while_it_detects_leaves_a_run_that_the_next_completes(
    owner: Database, worker: Database
) -> None:
    portfolio = Portfolio(owner, worker)
    run_id = worker.value("SELECT drift.request_run(%s, NULL)", portfolio.customer_id)
    owner.execute("BEGIN")
    owner.execute("SELECT drift.lock_customer(%s)", portfolio.customer_id)
    with working() as killed:
        wait_until(owner, BLOCKED, 1, process=killed)
        assert statuses(portfolio, "drift_run")[0] == "running"
        bury(killed, worker)
        with working() as process:
            wait_until(worker, TRIED_AGAIN, RUN, process=process)
            owner.execute("COMMIT")
            wait_until(worker, IDLE, process=process)
            assert stop(process) == ""

    [run] = [run for run in portfolio.rows("drift_run") if run["id"] == run_id]
    assert (run["status"], run["error"]) == ("completed", "")
    assert verified(owner) == []


def test_a_worker_told_to_end_finishes_what_it_does_and_leaves_the_rest(
    owner: Database, worker: Database
) -> None:
    portfolio = Portfolio(owner, worker)
    first = send(portfolio, as_file(iter([row(claim_number="A")])))
    second = send(portfolio, as_file(iter([row(claim_number="B")])))
    with held(owner), working() as process:
        wait_until(owner, BLOCKED, 1, process=process)
        process.send_signal(signal.SIGTERM)
        owner.execute("COMMIT")
        assert wait_for_end(process) == ""

    ended = {found["id"]: found["status"] for found in portfolio.rows("upload")}
    assert ended[first] == "completed"
    assert tried(portfolio, LOAD)[0] == ("succeeded", 1)
    # Begun before the signal came, or left to others.
    assert (ended[second], tried(portfolio, LOAD)[1][0]) in {
        ("received", "todo"),
        ("completed", "succeeded"),
    }
    assert worker.value("SELECT count(*) FROM procrastinate_workers") == 0
    assert verified(owner) == []


def test_two_workers_share_what_there_is(owner: Database, worker: Database) -> None:
    portfolios = [Portfolio(owner, worker) for _ in range(4)]
    for portfolio in portfolios:
        for number in range(5):
            rows = (row(claim_number=f"{n}") for n in range(number, number + 50))
            send(portfolio, as_file(rows))
            worker.execute(
                "SELECT drift.request_run(%s, current_date - %s)", portfolio.customer_id, number
            )

    with working() as process, working() as other:
        wait_until(worker, IDLE, process=process)
        assert (stop(process), stop(other)) == ("", "")

    for portfolio in portfolios:
        assert statuses(portfolio, "upload") == ["received", *["completed"] * 5]
        assert len(portfolio.rows("claim")) == 54
        assert set(statuses(portfolio, "drift_run")) == {"completed"}
        # In their order: each later file updates nothing of the former's.
        assert [upload["rows_inserted"] for upload in portfolio.rows("upload")] == [
            0, 50, 1, 1, 1, 1,
        ]  # fmt: skip
        assert tried(portfolio, LOAD) == tried(portfolio, RUN)[:5] == [("succeeded", 1)] * 5
    assert verified(owner) == []
