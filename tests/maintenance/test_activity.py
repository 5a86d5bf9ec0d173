"""`maintenance.activity`: who waits for whom, and never what a statement says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

PATIENT = "Jane Doe 1970-01-01"


def activity(database: Database) -> dict[int, dict[str, Any]]:
    return {row["pid"]: row for row in database.dicts("SELECT * FROM maintenance.activity()")}


@contextmanager
def waiting(connect: Connect, portfolio: Portfolio, watcher: Database) -> Iterator[tuple[int, int]]:
    """One session holds the customer's drift lock, another's detect waits for it: their pids."""
    holder, waiter = connect(), connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("SELECT drift.lock_customer(%s), %s", [portfolio.customer_id, PATIENT])
    thread = threading.Thread(
        target=Database(waiter).execute,
        args=("SELECT drift.detect(%s), %s", portfolio.customer_id, PATIENT),
    )
    thread.start()
    try:
        while not watcher.value(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)",
            waiter.info.backend_pid,
        ):
            pass
        yield holder.info.backend_pid, waiter.info.backend_pid
    finally:
        holder.rollback()
        thread.join()


def test_the_holder_and_the_waiter_of_a_customers_lock_are_named(
    connect: Connect, portfolio: Portfolio, worker: Database
) -> None:
    lock = f"drift of customer {portfolio.customer_id}"
    with waiting(connect, portfolio, worker) as (holder, waiter):
        rows = activity(worker)

    assert rows[holder]["holds"] == [lock]
    assert rows[holder]["state"] == "idle in transaction"
    assert rows[holder]["blocked_by"] == []
    assert rows[waiter]["waits_for"] == lock
    assert rows[waiter]["blocked_by"] == [holder]
    assert rows[waiter]["wait_event"] == "Lock: advisory"
    assert rows[waiter]["login"] == "claimdrift_worker"
    assert rows[waiter]["since"].total_seconds() >= 0
    assert rows[waiter]["statement"] == "SELECT drift.detect"
    assert {rows[pid]["hidden"] for pid in (holder, waiter)} == {False}
    assert next(iter(rows)) == waiter, "the blocked ones come first"


def test_the_ingest_lock_is_named_as_well(
    connect: Connect, portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    owner.execute("BEGIN")
    owner.execute("SELECT ingest.lock_customer(%s)", portfolio.customer_id)
    rows = activity(worker)
    owner.execute("ROLLBACK")

    assert rows[owner.connection.info.backend_pid]["holds"] == [
        f"ingest of customer {portfolio.customer_id}"
    ]


@pytest.mark.parametrize("login", ["claimdrift_worker", "claimdrift_migrator", "postgres"])
def test_no_value_of_a_statement_is_shown(
    connect: Connect, portfolio: Portfolio, worker: Database, login: str
) -> None:
    with waiting(connect, portfolio, worker):
        shown = str(activity(Database(connect(login))))

    assert "Jane" not in shown
    assert "1970" not in shown


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT pg_sleep(0), 'Jane.doe(', 'DELETE', '{p}'", "SELECT"),
        ("SELECT 'jane.doe(', 'drift.nobody(', '{p}'", "SELECT"),
        (
            "  with x as (select stats.fisher_exact(1, 2, 1, 2), '{p}') table x",
            "WITH stats.fisher_exact",
        ),
        ("/* {p} */ SELECT drift.newest_as_of(NULL)", "drift.newest_as_of"),
        ("update payer set name = '{p}' where false", "UPDATE"),
    ],
)
def test_of_statements_the_command_and_known_functions_are_shown(
    connect: Connect, worker: Database, statement: str, shown: str
) -> None:
    connection = connect()
    connection.autocommit = False
    Database(connection).execute(statement.replace("{p}", PATIENT))
    row = activity(worker)[connection.info.backend_pid]
    connection.rollback()

    assert row["statement"] == shown


def test_without_pg_read_all_stats_locks_are_still_shown(
    connect: Connect, portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    with waiting(connect, portfolio, worker) as (holder, waiter):
        rows = activity(owner)

    for pid in (holder, waiter):
        assert rows[pid]["hidden"] is True
        assert rows[pid]["state"] is None
        assert rows[pid]["login"] == "claimdrift_worker"
    assert rows[waiter]["blocked_by"] == [holder]
    assert rows[holder]["holds"] == [rows[waiter]["waits_for"]]
    assert rows[waiter]["since"].total_seconds() >= 0


def test_idle_sessions_and_the_caller_are_left_out(connect: Connect, worker: Database) -> None:
    idle = connect()
    with idle.cursor() as cursor:
        cursor.execute("SELECT 1")

    rows = activity(worker)

    assert idle.info.backend_pid not in rows
    assert worker.connection.info.backend_pid not in rows
