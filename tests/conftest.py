"""Fixtures: a migrated database on a real server, and connections as each login.

Tests commit. Each makes a customer of its own, and tenants can't see each other: nothing needs
rolling back or truncating, and every connection sees what a real one would.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest
from django.conf import settings
from django.db import connections
from psycopg2.extensions import connection as Connection
from pytest_django.plugin import DjangoDbBlocker

from core.embedded import EmbeddedServer
from tests.database import Database
from tests.pooling import Pooler, crowded
from tests.portfolio import Portfolio

SERVER = EmbeddedServer.for_clone(settings.BASE_DIR)
DATABASE = f"test_claimdrift_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"

Connect = Callable[..., Connection]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--through-pgbouncer",
        action="store_true",
        help="the web login connects through a PgBouncer, whose few sessions others use as well",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server once; workers of pytest-xdist find it running."""
    if hasattr(session.config, "workerinput"):
        return
    session.config.stash[STARTED] = SERVER.start()
    SERVER.ensure_database()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave the server as it was found."""
    if not hasattr(session.config, "workerinput") and session.config.stash.get(STARTED, False):
        SERVER.stop()


STARTED = pytest.StashKey[bool]()


def run_manage(*arguments: str, database_url: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py as a process of its own."""
    return subprocess.run(  # noqa: S603
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        env={**os.environ, "DATABASE_URL": database_url},
        text=True,
        capture_output=True,
        check=False,
    )


def create_database(name: str) -> None:
    """Create the database anew, owned by the owner role, and migrate it as the migrator."""
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser:
        superuser.autocommit = True
        with superuser.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}" OWNER claimdrift_owner TEMPLATE template0')
            cursor.execute(f"ALTER DATABASE \"{name}\" SET plpgsql.extra_errors = 'all'")
            # Nothing here outlives a crash of the server, and each commit would wait for the disk.
            cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    migration = run_manage("migrate", database_url=SERVER.url("claimdrift_migrator", name))
    assert migration.returncode == 0, migration.stderr


@pytest.fixture(scope="session", autouse=True)
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Django's own connection is the worker's, to this process's test database."""
    create_database(DATABASE)
    connections["default"].settings_dict |= {"NAME": DATABASE, "USER": "claimdrift_worker"}
    with django_db_blocker.unblock():
        yield
        connections.close_all()
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser:
        superuser.autocommit = True
        with superuser.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{DATABASE}" WITH (FORCE)')


@pytest.fixture(scope="session")
def in_between(pytestconfig: pytest.Config, django_db_setup: None) -> Iterator[Pooler | None]:
    """What the web login connects through, if the option says so."""
    if not pytestconfig.getoption("through_pgbouncer"):
        yield None
        return
    with crowded(SERVER, DATABASE) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def database_url(in_between: Pooler | None) -> Callable[[str], str]:
    """The URI of the test database for a login."""

    def database_url(login: str) -> str:
        if in_between is not None and login == "claimdrift_web":
            return in_between.url()
        return SERVER.url(login, DATABASE)

    return database_url


@pytest.fixture(scope="session")
def opened() -> list[Connection]:
    """Every connection that `connect` has made and nobody has closed yet."""
    return []


@pytest.fixture(scope="session")
def connect(database_url: Callable[[str], str], opened: list[Connection]) -> Connect:
    """`connect(login="claimdrift_worker")`: a new connection in autocommit mode."""

    def connect(login: str = "claimdrift_worker") -> Connection:
        connection: Connection = psycopg2.connect(database_url(login))
        connection.autocommit = True
        opened.append(connection)
        return connection

    return connect


@pytest.fixture(autouse=True)
def close_connections(opened: list[Connection]) -> Iterator[None]:
    """Close what the test has opened; fixtures of a wider scope keep theirs."""
    kept = len(opened)
    yield
    while len(opened) > kept:
        opened.pop().close()


@pytest.fixture(scope="session")
def owner(connect: Connect) -> Database:
    """The database as its owner sees it: all rows, all rights."""
    return Database(connect("claimdrift_migrator"))


@pytest.fixture(scope="session")
def worker(connect: Connect) -> Database:
    """The database as the worker and the commands see it."""
    return Database(connect("claimdrift_worker"))


@pytest.fixture
def portfolio(owner: Database, worker: Database) -> Portfolio:
    """A new customer with no claims yet."""
    return Portfolio(owner, worker)
