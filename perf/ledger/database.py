"""The ledger in a database of its own: filled, migrated by real processes, and audited."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from django.conf import settings

from core.embedded import EmbeddedServer
from perf.ledger.key import KEY
from perf.ledger.traffic import CUSTOMERS, Traffic

ARCHIVE = f"{KEY.name}_archive"
MOVES = f"{KEY.name}_moves"
# Only guards against hanging.
PATIENCE_SECONDS = 300


class Ledger:
    """A database with the ledger's first migration; nothing else is migrated."""

    def __init__(self, server: EmbeddedServer, name: str) -> None:
        self.server, self.name = server, name
        self._as_superuser(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.ensure_database(name)
        self.migrate("0001")
        self.owner = psycopg2.connect(server.url("claimdrift_migrator", name))
        self.owner.autocommit = True

    def close(self) -> None:
        self.owner.close()
        self._as_superuser(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def _as_superuser(self, statement: str) -> None:
        with closing(psycopg2.connect(self.server.url("postgres", "postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def connect(self, login: str = "claimdrift_worker") -> Any:
        return psycopg2.connect(self.server.url(login, self.name))

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.owner.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *parameters: Any) -> Any:
        return self.run(sql, *parameters)[0][0]

    def fill(self, rows: int) -> int:
        """So many rows, of which each twentieth is a duplicate; the number of different keys."""
        numbers = rows - rows // 20
        self.run(
            "INSERT INTO ledger_entry (customer_id, number, amount, text)"
            f" SELECT k %% {CUSTOMERS}, 'N' || k, n %% 1000 / 100.0, repeat('x', n %% 200)"
            " FROM generate_series(1, %s) AS n, LATERAL (SELECT n %% %s AS k) AS key",
            rows,
            numbers,
        )
        self.run(
            "INSERT INTO ledger_note (customer_id, entry_id)"
            " SELECT customer_id, id FROM ledger_entry WHERE id % 10 < 3"
        )
        self.run("CREATE TABLE first_entry AS SELECT * FROM ledger_entry")
        self.run("CREATE TABLE first_note AS SELECT * FROM ledger_note")
        self.run("VACUUM (ANALYZE) ledger_entry, ledger_note, first_entry, first_note")
        return numbers

    def start(self, target: str, *options: str) -> "subprocess.Popen[str]":
        """`manage.py migrate ledger TARGET` as a process."""
        command = ["migrate", "ledger", target, *options]
        return subprocess.Popen(  # noqa: S603
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *command],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "perf.ledger.settings",
                "DATABASE_URL": self.server.url("claimdrift_migrator", self.name),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def statement(self, sql: str) -> threading.Thread:
        """Run it as the owner, in a thread."""

        def run() -> None:
            with closing(self.connect("claimdrift_migrator")) as connection:
                connection.autocommit = True
                connection.cursor().execute(sql)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def migrate(self, target: str, *options: str) -> str:
        """The same, until it has ended well; what it printed."""
        process = self.start(target, *options)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, output
        return output

    def applied(self) -> list[str]:
        rows = self.run("SELECT name FROM django_migrations WHERE app = 'ledger' ORDER BY name")
        return [name for (name,) in rows]

    @contextmanager
    def transaction(self, sql: str, seconds: float = 0.0) -> Iterator[None]:
        """One that has run `sql` and stays open for the block, and at least so many seconds."""
        start = time.monotonic()
        with closing(self.connect("claimdrift_migrator")) as connection:
            connection.cursor().execute(sql)
            yield
            time.sleep(max(0.0, start + seconds - time.monotonic()))
            connection.rollback()

    def await_value(self, sql: str, expected: Any, process: "subprocess.Popen[str]") -> None:
        """Return when `sql` gives it while the process runs."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.value(sql)) != expected:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, f"{sql}: {found}"
            time.sleep(0.01)


def faults(ledger: Ledger, traffic: Traffic) -> dict[str, Any]:
    """What is wrong with the ledger; {} when nothing is. The traffic has ended."""
    count = traffic.count
    archived = bool(ledger.value("SELECT to_regclass(%s) IS NOT NULL", ARCHIVE))
    rows = ledger.value("SELECT count(*) FROM first_entry")
    expected_rows = rows + count["added"] + count["duplicates"] - count["deleted"]
    expected_notes = ledger.value("SELECT count(*) FROM first_note") + count["notes"]
    entries = "SELECT id, to_jsonb(e) AS content FROM ledger_entry AS e"
    if archived:
        entries += f" UNION ALL SELECT id, content FROM {ARCHIVE}"
    moved = "false"
    if archived:
        moved = (
            f"EXISTS (SELECT FROM {ARCHIVE} AS a WHERE a.id = f.entry_id"
            " AND a.kept_id = n.entry_id)"
        )
    checks = {
        "errors": traffic.errors[:3],
        "rows": ledger.value(f"SELECT count(*) FROM ({entries}) AS e") - expected_rows,
        "more than once": ledger.value(
            f"SELECT count(*) - count(DISTINCT id) FROM ({entries}) AS e"
        ),
        "not as they were": ledger.value(
            f"SELECT count(*) FROM first_entry AS f LEFT JOIN ({entries}) AS e USING (id)"
            " WHERE e.id IS NULL OR f.id % 2 = 1 AND e.content <> to_jsonb(f)"
        ),
        "notes": ledger.value("SELECT count(*) FROM ledger_note") - expected_notes,
        "notes elsewhere": ledger.value(
            f"SELECT count(*) FROM first_note AS f LEFT JOIN ledger_note AS n USING (id)"
            f" WHERE n.id IS NULL OR f.entry_id <> n.entry_id AND NOT {moved}"
        ),
        "invalid indexes": ledger.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid"),
    }
    if archived:
        checks["kept is no other row of the key"] = ledger.value(
            f"SELECT count(*) FROM {ARCHIVE} AS a LEFT JOIN ledger_entry AS e ON e.id = a.kept_id"
            " WHERE e.number IS DISTINCT FROM a.content->>'number'"
            " OR e.customer_id <> (a.content->>'customer_id')::bigint OR e.id < a.id"
        )
        checks["duplicates"] = ledger.value(
            "SELECT count(*) FROM (SELECT FROM ledger_entry GROUP BY customer_id, number"
            " HAVING count(*) > 1) AS d"
        )
    return {name: found for name, found in checks.items() if found}
