"""Something that waits, in a thread, while the test does what it waits for."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from tests.database import Database

# Only guards against hanging.
PATIENCE_SECONDS = 60


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[None]:
    """Run `work` on this thread's Django connection beside the block; it must end after it."""
    connection = connections["default"]
    connection.ensure_connection()
    connection.inc_thread_sharing()
    failures: list[BaseException] = []

    def run() -> None:
        connections["default"] = connection
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "It still waits."
    finally:
        connection.dec_thread_sharing()
    if failures:
        raise failures[0]


def await_true(check: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():
        assert time.monotonic() < deadline, "It never came to be."
        time.sleep(0.01)


def await_waiter(database: Database, locktype: str = "virtualxid") -> None:
    """Return when somebody waits for such a lock: "virtualxid" is another transaction's end."""
    await_true(
        lambda: database.value(
            "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
            " WHERE a.datname = current_database() AND l.locktype = %s AND NOT l.granted",
            locktype,
        )
    )
