"""Several connections at work at the same time, each in a thread of its own."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from tests.database import Database

DatabaseUrl = Callable[[str], str]
Work = Callable[[Database], Any]


@contextmanager
def open_connections(
    database_url: DatabaseUrl, count: int, login: str = "claimdrift_worker"
) -> Iterator[list[Database]]:
    """`count` connections in autocommit mode, closed again on leaving."""
    databases: list[Database] = []
    try:
        for _ in range(count):
            databases.append(Database(psycopg2.connect(database_url(login))))
            databases[-1].connection.autocommit = True
        yield databases
    finally:
        for database in databases:
            database.connection.close()


def do_together(databases: Sequence[Database], work: Sequence[Work]) -> list[Any]:
    """Start all at one moment, work[i] on databases[i]; what each returned, or its error."""
    barrier = threading.Barrier(len(work))
    results: list[Any] = [None] * len(work)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work[number](databases[number])
        except psycopg2.Error as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Background:
    """One piece of work in a thread, to be joined for its result (or its error, raised)."""

    def __init__(self, database: Database, work: Work) -> None:
        self.database = database
        self._work = work
        self._result: Any = None
        self._error: psycopg2.Error | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work(self.database)
        except psycopg2.Error as error:
            self._error = error

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> Any:
        self._thread.join()
        if self._error:
            raise self._error
        return self._result

    def blocks(self, watcher: Database) -> bool:
        """Return once the work waits for a lock (true) or has ended without having waited."""
        pid = self.database.connection.info.backend_pid
        while True:
            # In this order: work that ended in between is seen to be running, and asked again.
            is_running = self.is_running()
            if watcher.value(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", pid
            ):
                return True
            if not is_running:
                return False
            # Gives the thread a chance; nothing depends on how long it is.
            watcher.execute("SELECT pg_sleep(0.001)")

    def wait_until_blocked(self, watcher: Database) -> None:
        """Return once the work waits for a lock; fail if it ends without having waited."""
        if not self.blocks(watcher):
            pytest.fail("it didn't wait")
