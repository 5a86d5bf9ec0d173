"""Servers of their own, empty or with claimdrift on them, and folders that their user may enter."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from core.embedded import EmbeddedServer
from tests.conftest import run_manage
from tests.core.test_embedded import temporary_server
from tests.database import Database
from tests.operations.page import done, owned


@contextmanager
def empty_server() -> Iterator[EmbeddedServer]:
    """A server that runs, with nothing on it: no role, no database."""
    with folder() as place, temporary_server(place / "clone") as server:
        server.start()
        yield server


@contextmanager
def installed() -> Iterator[EmbeddedServer]:
    """A server with claimdrift on it."""
    with empty_server() as server:
        server.ensure_database()
        result = run_manage("migrate", database_url=server.url("claimdrift_migrator"))
        assert result.returncode == 0, result.stderr
        yield server


@contextmanager
def folder(server: EmbeddedServer | None = None) -> Iterator[Path]:
    """A folder, the server's user's if there is one. (pytest's own can't be entered by others.)"""
    path = Path(tempfile.mkdtemp(prefix="claimdrift-operations-"))
    try:
        yield owned(server, path) if server else path
    finally:
        shutil.rmtree(path)


@contextmanager
def connected(server: EmbeddedServer, login: str, name: str = "claimdrift") -> Iterator[Database]:
    with closing(psycopg2.connect(server.url(login, name))) as connection:
        connection.autocommit = True
        yield Database(connection)


def counted(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table: database.value(f'SELECT count(*) FROM public."{table}"')
        for (table,) in database.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
    }


def schema(server: EmbeddedServer) -> str:
    """All that isn't rows: tables, functions, triggers, policies, owners, privileges.

    A list of choices is cast in another place once it has been dumped and read again.
    """
    text = done(server, "pg_dump --schema-only --restrict-key=same claimdrift")
    return "\n".join(
        re.sub(r"::text\[\]|::text|::character varying|[()]", "", line)
        if "CHECK" in line or "ARRAY[" in line
        else line
        for line in text.splitlines()
    )
