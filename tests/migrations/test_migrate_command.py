"""manage.py migrate: one at a time, in nobody's way for long, and it says who is in its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest
from django.conf import settings

from perf.ledger.database import Ledger
from tests.conftest import DATABASE, SERVER
from tests.core.test_settings import Run, run

__all__ = ["run"]

GUARD_WAITS = (
    "SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
    " WHERE a.datname = current_database() AND NOT l.granted AND l.locktype = 'relation'"
)
WRITE = "UPDATE ledger_entry SET amount = amount"
CLAIM = "SELECT 'patient'"


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    """With the index that the guard's migration needs."""
    ledger = Ledger(SERVER, f"{DATABASE}_ledger_command")
    ledger.fill(100)
    ledger.migrate("0002")
    yield ledger
    ledger.close()


def migrate(
    ledger: Ledger, *arguments: str, lock_timeout: int = 100
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", *arguments],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "perf.ledger.settings",
            "CLAIMDRIFT_MIGRATE_LOCK_TIMEOUT": str(lock_timeout),
            "DATABASE_URL": SERVER.url("claimdrift_migrator", ledger.name),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_lock_that_is_not_to_be_had_is_tried_for_again(ledger: Ledger) -> None:
    with ledger.transaction(WRITE):
        process = ledger.start("0003")
        ledger.await_value(GUARD_WAITS, True, process)
        # It lets others pass, and comes again.
        ledger.await_value(GUARD_WAITS, False, process)
        ledger.await_value(GUARD_WAITS, True, process)
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 0
    assert re.search(
        r"Waited in vain for a lock on ledger_entry, which is held by process \d+ of"
        r" claimdrift_migrator\S*\. Trying again \(\d+ of 300 seconds\)",
        output,
    ), output
    assert ledger.applied()[-1] == "0003_guard"
    ledger.migrate("0002")


def test_after_its_patience_it_names_who_is_in_the_way_but_not_what_they_run(
    ledger: Ledger,
) -> None:
    with closing(ledger.connect("claimdrift_migrator")) as holder:
        holder.cursor().execute(f"SET application_name = 'nightly report'; {WRITE}; {CLAIM}")
        result = migrate(ledger, "ledger", "0003", "--patience", "0.5")
        pid = holder.info.backend_pid

    assert result.returncode == 1
    assert (
        f"waiting for a lock on ledger_entry, which is held by process {pid}"
        " of claimdrift_migrator (nightly report)"
    ) in result.stderr
    assert "patient" not in result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    assert ledger.applied()[-1] == "0002_key_index"


def test_another_one_is_waited_for_without_holding_it_up(ledger: Ledger) -> None:
    """What builds an index concurrently waits for everybody's snapshot, a waiting one's too."""
    ledger.migrate("0001")
    with ledger.transaction(WRITE):
        first = ledger.start("0002")
        ledger.await_value(GUARD_WAITS.replace("relation", "virtualxid"), True, first)
        second = ledger.start("0002")
        assert second.stdout is not None
        assert "Another migrate is at work here" in second.stdout.readline()
    for process in (first, second):
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    assert ledger.applied()[-1] == "0002_key_index"
    assert ledger.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0


def test_questions_about_the_plan_wait_for_nobody(ledger: Ledger) -> None:
    with ledger.transaction(WRITE):
        process = ledger.start("0003")
        ledger.await_value(GUARD_WAITS, True, process)
        plan = migrate(ledger, "ledger", "0003", "--plan", "--check")
        assert (plan.returncode, "Refuse new duplicates" in plan.stdout) == (1, True)
    assert process.communicate(timeout=120)[0]
    ledger.migrate("0002")


@pytest.mark.long
def test_what_a_killed_one_was_doing_ends_soon(ledger: Ledger) -> None:
    """Or the next one would wait for as long as its statement takes."""
    ledger.migrate("0001")
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = 'claimdrift_migrator' AND pid <> pg_backend_pid()"
    )
    with ledger.transaction(WRITE):
        process = ledger.start("0002")
        ledger.await_value(GUARD_WAITS.replace("relation", "virtualxid"), True, process)
        process.kill()
        process.communicate()
        anybody = ledger.start("0001")
        # Only the transaction that it waited for is left, and that other process.
        ledger.await_value(sessions.replace("count(*)", "count(*) <= 3"), True, anybody)
        anybody.communicate(timeout=120)
    assert ledger.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
    ledger.migrate("0002")
    assert ledger.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0


def test_other_errors_are_not_repeated(ledger: Ledger) -> None:
    ledger.run("DROP INDEX ledger_entry_number_idx")
    result = migrate(ledger, "ledger", "0003")

    assert result.returncode == 1
    assert "ledger_entry has no index on (customer_id, number)" in result.stderr
    assert "Trying again" not in result.stdout
    ledger.migrate("0001")
    ledger.migrate("0002")


@pytest.mark.parametrize("value", ["0", "1s"])
def test_a_lock_timeout_that_can_not_be_is_refused(run: Run, value: str) -> None:
    result = run("manage.py", "check", CLAIMDRIFT_MIGRATE_LOCK_TIMEOUT=value)

    assert result.returncode == 1
    assert "CLAIMDRIFT_MIGRATE_LOCK_TIMEOUT must be a whole number" in result.stderr


def test_it_sees_no_pooler_where_there_is_none(database_url: Callable[[str], str]) -> None:
    """A pooler gives its clients process numbers of its own."""
    with closing(psycopg2.connect(database_url("claimdrift_migrator"))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == (connection.info.backend_pid,)
