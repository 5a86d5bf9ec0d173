"""Real `manage.py ingest` processes, and where in the server they are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from tests.acceptance.together import DatabaseUrl
from tests.database import Database
from tests.portfolio import Portfolio

Process = subprocess.Popen[bytes]


def start_ingest(
    file: Path | str, portfolio: Portfolio, database_url: DatabaseUrl, *flags: str
) -> Process:
    """Start `manage.py ingest FILE`."""
    manage = str(settings.BASE_DIR / "manage.py")
    return subprocess.Popen(  # noqa: S603
        [sys.executable, manage, "ingest", str(file), "--customer", portfolio.slug, *flags],
        env={**os.environ, "DATABASE_URL": database_url("claimdrift_worker")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def ended(*processes: Process) -> Iterator[None]:
    """Leave none of the processes running, whatever happens in between."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def wait_for_waiters(holder: Database, count: int, *processes: Process) -> list[int]:
    """Return once `count` sessions wait for a lock that `holder` has; their ids."""
    while True:
        # Not pg_stat_activity, of which a transaction sees one state only.
        waiting = [
            pid
            for [pid] in holder.execute(
                "SELECT DISTINCT pid FROM pg_locks"
                " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
        ]
        if len(waiting) >= count:
            return waiting
        _still_running(*processes)
        holder.execute("SELECT pg_sleep(0.01)")


def wait_for_copy(superuser: Database, *processes: Process) -> int:
    """Return once a session copies rows; its id. Others than a superuser don't see it."""
    while True:
        copying = superuser.execute(
            "SELECT pid FROM pg_stat_progress_copy WHERE datname = current_database()"
            " AND tuples_processed > 0"
        )
        if copying:
            [[pid]] = copying
            return int(pid)
        _still_running(*processes)
        superuser.execute("SELECT pg_sleep(0.01)")


def wait_until_gone(database: Database, pid: int) -> None:
    """Return once the session has ended, with all that it held."""
    while database.execute("SELECT FROM pg_stat_activity WHERE pid = %s", pid):
        database.execute("SELECT pg_sleep(0.01)")


def _still_running(*processes: Process) -> None:
    for process in processes:
        if process.poll() is not None:
            raise AssertionError(f"it ended before: {process.communicate()}")
