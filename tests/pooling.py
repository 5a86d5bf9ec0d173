"""A real PgBouncer, configured by deploy/pgbouncer.ini, in front of a test database."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg2
from django.conf import settings

from core.context import ENTER
from core.embedded import EmbeddedServer
from tests.database import Database

CONFIGURATION: Final = settings.BASE_DIR / "deploy" / "pgbouncer.ini"
PASSWORD: Final = "correct horse"  # noqa: S105
WEB_ALONE: Final = {"claimdrift_web": PASSWORD}
# No customer has this id.
NOBODY: Final = 999_999_999_999
LIMIT: Final = 60.0  # seconds until a hang is called one


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def configured(**changes: str | int) -> str:
    """The configuration with other values for some of its settings."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    lines = text.splitlines()
    for name, value in changes.items():
        [number] = [n for n, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[number] = f"{name} = {value}"
    return "\n".join([*lines, ""])


class Pooler:
    """PgBouncer as a process of the system user that the server runs as; use `pooled`."""

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self.server, self.folder, self.port = server, folder, free_port()
        self.account = pwd.getpwnam(server.run_as) if server.run_as else None
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, database: str, logins: Mapping[str, str], **changes: str | int) -> None:
        """Write its files; `place` says where the server is."""
        self.set_logins(logins)
        place = changes.pop("place", f"host={self.server.socket_dir} port={self.server.port}")
        text = configured(
            claimdrift=f"{place} dbname={database}",
            listen_addr="127.0.0.1",
            listen_port=self.port,
            unix_socket_dir=str(self.folder),
            auth_file=str(self.folder / "userlist"),
            **changes,
        )
        (self.folder / "pgbouncer.ini").write_text(text, encoding="utf-8")
        self._own()

    def set_logins(self, logins: Mapping[str, str]) -> None:
        lines = [f'"{login}" "{password}"\n' for login, password in logins.items()]
        (self.folder / "userlist").write_text("".join(lines), encoding="utf-8")
        self._own()

    def _own(self) -> None:
        for path in (self.folder, *self.folder.iterdir()):
            path.chmod(0o700 if path.is_dir() else 0o600)
            if self.account:
                os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [program(), str(self.folder / "pgbouncer.ini")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.account.pw_uid if self.account else None,
                group=self.account.pw_gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        deadline = time.monotonic() + LIMIT
        while True:
            assert self.process.poll() is None, self.log()
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def stop(self) -> None:
        """At once: its clients' transactions are cut off."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def url(self, login: str = "claimdrift_web", password: str = PASSWORD) -> str:
        """The URI of the database for a login, through here."""
        quoted = password.replace(" ", "%20")
        return f"postgresql://{login}:{quoted}@127.0.0.1:{self.port}/claimdrift"

    def console(self, command: str) -> list[list[str]]:
        """The rows that a command of PgBouncer's console gives."""
        result = subprocess.run(  # noqa: S603
            [
                str(self.server.bin_dir / "psql"),
                "--no-psqlrc",
                "--no-align",
                "--tuples-only",
                f"--command={command}",
                f"--dbname=host={self.folder} port={self.port} user=pgbouncer dbname=pgbouncer",
            ],
            cwd="/",
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return [line.split("|") for line in result.stdout.splitlines()]


def program() -> str:
    """PgBouncer; Debian has it where an ordinary user doesn't look."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, "PgBouncer is missing: make debian"
    return found


@contextmanager
def pooled(
    server: EmbeddedServer,
    database: str,
    *,
    logins: Mapping[str, str] = WEB_ALONE,
    **changes: str | int,
) -> Iterator[Pooler]:
    """A running PgBouncer, gone with all its files on leaving."""
    folder = Path(tempfile.mkdtemp(prefix="claimdrift-pgbouncer-"))
    pooler = Pooler(server, folder)
    try:
        pooler.write(database, logins, **changes)
        pooler.start()
        yield pooler
    finally:
        pooler.stop()
        shutil.rmtree(folder)


def sessions(url: str, count: int) -> list[psycopg2.extensions.connection]:
    """As many transactions at once as there are sessions: one in each of them.

    The caller ends and closes them.
    """
    connections = []
    for _ in range(count):
        connections.append(psycopg2.connect(url))
        with connections[-1].cursor() as cursor:
            cursor.execute("SELECT 1")
    return connections


# What one client could leave to the next in a session that they share.
LEFT: Final = """
    SELECT 'role ' || current_setting('role') WHERE current_setting('role') <> 'none'
    UNION ALL
    SELECT name || ' ' || value FROM (VALUES
        ('app.customer_id', current_setting('app.customer_id', true)),
        ('app.actor_id', current_setting('app.actor_id', true))) AS s (name, value)
    WHERE value <> ''
    UNION ALL
    SELECT 'setting ' || name FROM pg_settings
    -- These PgBouncer keeps for each client, and sets again.
    WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding', 'DateStyle',
        'IntervalStyle', 'standard_conforming_strings', 'TimeZone', 'role')
    UNION ALL
    SELECT 'statement ' || name FROM pg_prepared_statements
    UNION ALL
    SELECT 'lock ' || objid FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'
    UNION ALL
    SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable
    UNION ALL
    SELECT 'channel ' || c FROM pg_listening_channels() AS c
    UNION ALL
    SELECT 'table ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
"""


def left_behind(url: str, count: int) -> list[str]:
    """What is left in any of a pool's sessions, of which there are `count`."""
    connections = sessions(url, count)
    try:
        databases = [Database(connection) for connection in connections]
        pids = {database.value("SELECT pg_backend_pid()") for database in databases}
        assert len(pids) == count
        return [text for database in databases for (text,) in database.execute(LEFT)]
    finally:
        for connection in connections:
            connection.close()


SHARED: Final = 2


@contextmanager
def crowded(server: EmbeddedServer, database: str) -> Iterator[Pooler]:
    """A PgBouncer with two sessions, which clients of another customer use all the time.

    On leaving, nothing may be left behind in them.
    """
    over = threading.Event()
    with pooled(
        server,
        database,
        default_pool_size=SHARED,
        reserve_pool_size=0,
        max_db_connections=SHARED,
        # Whoever tests keeps some transactions open, in threads of its own.
        query_wait_timeout=60,
    ) as pooler:
        others = [threading.Thread(target=_visit, args=(pooler, over)) for _ in range(3)]
        for other in others:
            other.start()
        try:
            yield pooler
        finally:
            over.set()
            for other in others:
                other.join()
        assert left_behind(pooler.url(), SHARED) == []


def _visit(pooler: Pooler, over: threading.Event) -> None:
    """Transactions for a customer that isn't there, committed, rolled back and failed."""
    connection = psycopg2.connect(pooler.url())
    ends = itertools.cycle([connection.commit, connection.rollback, None])
    while not over.wait(0.003):
        with connection.cursor() as cursor:
            cursor.execute(ENTER, [str(NOBODY), ""])
            cursor.execute("SELECT count(*) FROM payer")
            assert cursor.fetchone() == (0,)
            end = next(ends)
            if end is not None:
                end()
                continue
            try:
                cursor.execute("SELECT 1 / 0")
            except psycopg2.Error:
                connection.rollback()
    connection.close()
