"""Waiting in migrations: for locks briefly and again, for old transactions, and who is in the way.

A statement that waits for a strong lock makes everybody wait who comes after it. So `migrate` lets
none wait longer than `CLAIMDRIFT_MIGRATE_LOCK_TIMEOUT`, and tries again after a pause. What takes
weak locks only (CONCURRENTLY, VALIDATE) may wait as long as it must.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from django.db import OperationalError
from psycopg2.errorcodes import DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE

from core.online_catalogue import OnlineChangeError, fetch

# How long is waited in all, for locks or for older transactions, before giving up.
PATIENCE_SECONDS = 300.0
_LONGEST_PAUSE_SECONDS = 8.0

# Not what they run: that may hold patients' data.
_SESSION = """
    'process ' || a.pid || ' of ' || coalesce(a.usename::text, 'the server')
    || coalesce(' (' || nullif(a.application_name, '') || ')', '')
    || coalesce(', in a transaction since ' || to_char(a.xact_start, 'HH24:MI:SS'), '')
"""
_BLOCKERS = f"""
    SELECT coalesce(l.relation::regclass::text, l.locktype), {_SESSION}
    FROM pg_locks AS l
    CROSS JOIN unnest(pg_blocking_pids(l.pid)) AS blocker (pid)
    JOIN pg_stat_activity AS a ON a.pid = blocker.pid
    WHERE l.pid = %s AND NOT l.granted
"""  # noqa: S608
_OLDER = f"""
    SELECT l.virtualxid, {_SESSION}
    FROM pg_locks AS l
    JOIN pg_stat_activity AS a USING (pid)
    JOIN pg_database AS d ON d.oid = a.datid
    WHERE
        l.locktype = 'virtualxid'
        AND l.mode = 'ExclusiveLock'
        AND d.datname = current_database()
        AND a.usesysid IS NOT NULL
        AND l.pid <> pg_backend_pid()
"""  # noqa: S608


def is_lock_failure(error: BaseException) -> bool:
    """Whether a lock wasn't to be had; a deadlock with a writer counts, too."""
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    return getattr(cause, "pgcode", None) in {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}


def pauses(patience: float) -> Iterator[float]:
    """Sleep before each further attempt, longer each time and never in step with others.

    Yields the seconds that have passed; ends when there were more than `patience`.
    """
    start = time.monotonic()
    longest = 0.5
    while (passed := time.monotonic() - start) < patience:
        yield passed
        time.sleep(longest * random.uniform(0.5, 1))  # noqa: S311 (no secret)
        longest = min(longest * 1.6, _LONGEST_PAUSE_SECONDS)


@contextmanager
def lock_timeout(connection: Any, value: str) -> Iterator[None]:
    """The session's lock_timeout, while the block lasts; outside a transaction."""
    [[before]] = fetch(connection, "SHOW lock_timeout")
    fetch(connection, "SELECT set_config('lock_timeout', %s, false)", value)
    try:
        yield
    finally:
        # A lost connection has no settings to put back.
        if connection.connection is not None and not connection.connection.closed:
            fetch(connection, "SELECT set_config('lock_timeout', %s, false)", before)


def wait_for_older_transactions(connection: Any, reason: str) -> None:
    """Wait until every transaction that runs now in this database has ended.

    Raises OnlineChangeError, naming them, when some outlast PATIENCE_SECONDS.
    """
    # Each is a statement of its own, so that this session never holds a snapshot for long.
    older = dict(fetch(connection, _OLDER))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while older and time.monotonic() < deadline:
        time.sleep(0.05)
        running = dict(fetch(connection, _OLDER))
        older = {xid: session for xid, session in older.items() if xid in running}
    if older:
        raise OnlineChangeError(
            f"{reason}, and some have run for {PATIENCE_SECONDS:.0f} seconds:"
            f" {'; '.join(sorted(older.values()))}. End them, then run migrate again."
        )


class LockWatch:
    """Notes, from a connection of its own, what another session waits for and who has it.

    After the wait was given up it is too late to ask.
    """

    def __init__(self, connection: Any) -> None:
        [[self._pid]] = fetch(connection, "SELECT pg_backend_pid()")
        self._connect: Callable[[], Any] = lambda: psycopg2.connect(
            **connection.get_connection_params()
        )
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._seen: tuple[str, frozenset[str]] | None = None

    def __enter__(self) -> "LockWatch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def seen(self) -> str:
        """What was waited for last, and whom."""
        if self._seen is None:
            return "a lock"
        table, sessions = self._seen
        return f"a lock on {table}, which is held by {'; '.join(sorted(sessions))}"

    def _look(self) -> None:
        try:
            with closing(self._connect()) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    while not self._done.wait(0.1):
                        cursor.execute(_BLOCKERS, (self._pid,))
                        rows = cursor.fetchall()
                        if rows:
                            self._seen = (rows[0][0], frozenset(session for _, session in rows))
        except psycopg2.OperationalError:
            # No second connection to be had. Only messages are less precise without it.
            return
