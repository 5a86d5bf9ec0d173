"""What the benchmarks share: a database of their own, timing, and how results are kept."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from psycopg2.extensions import connection as Connection

from core.embedded import EmbeddedServer

RESULTS = Path(__file__).parent / "results"


class BenchDatabase:
    """A freshly migrated database on the embedded server; with `keep`, one that is there."""

    def __init__(self, name: str, *, keep: bool = False) -> None:
        self.server = EmbeddedServer.for_clone(settings.BASE_DIR)
        self.name = name
        self.started = self.server.start()
        self.server.ensure_database()
        self.is_new = not (keep and self._exists())
        if not self.is_new:
            return
        self._superuser(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.server.ensure_database(name)
        subprocess.run(  # noqa: S603
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--verbosity=0"],
            env={**os.environ, "DATABASE_URL": self.url("claimdrift_migrator")},
            check=True,
        )

    def url(self, login: str) -> str:
        return self.server.url(login, self.name)

    def connect(self, login: str = "claimdrift_worker") -> Connection:
        connection: Connection = psycopg2.connect(self.url(login))
        connection.autocommit = True
        return connection

    def _exists(self) -> bool:
        with closing(psycopg2.connect(self.server.url("postgres", "postgres"))) as connection:
            return bool(run(connection, "SELECT 1 FROM pg_database WHERE datname = %s", self.name))

    def _superuser(self, statement: str) -> None:
        connection = psycopg2.connect(self.server.url("postgres", "postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def close(self, *, keep: bool = False) -> None:
        """Drop the database, unless to keep it; stop the server if it wasn't running before."""
        if not keep:
            self._superuser(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        if self.started:
            self.server.stop()


def run(connection: Connection, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def milliseconds(work: Callable[[], Any], *, repeat: int = 5) -> float:
    """Median wall-clock time of `work`."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def machine() -> dict[str, Any]:
    """Where and from what the figures come."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip() or "unknown",
    }


def save(name: str, rows: Sequence[Mapping[str, Any]], *, keep: bool, **about: Any) -> None:
    """Print the rows as a table and, unless it was a quick run, keep them as NAME.json."""
    if keep:
        result = {"benchmark": name, **machine(), **about, "rows": rows}
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    columns = list(rows[0])
    table = [columns, *[[str(row[column]) for column in columns] for row in rows]]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
