"""The real worker, when the database goes away beneath it."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from tests.acceptance.working import OWN_DATABASE, connected, own_database, wait_until, working
from tests.conftest import SERVER
from tests.database import Database

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = 'claimdrift_worker' AND datname = %s
"""
ALIVE = "SELECT count(*) > 0 FROM procrastinate_workers"


@pytest.fixture(scope="module", autouse=True)
def _database() -> Iterator[None]:
    with own_database():
        yield


@contextmanager
def gone() -> Iterator[None]:
    """Nobody can connect to the worker's database, and the worker isn't any more."""
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as connection:
        connection.autocommit = True
        superuser = Database(connection)
        superuser.execute(f'ALTER DATABASE "{OWN_DATABASE}" ALLOW_CONNECTIONS false')
        superuser.execute(TERMINATE, OWN_DATABASE)
        try:
            yield
        finally:
            superuser.execute(f'ALTER DATABASE "{OWN_DATABASE}" ALLOW_CONNECTIONS true')


def test_a_worker_that_lost_the_database_goes_on_or_says_that_it_failed() -> None:
    """Whatever supervises it starts it again only if its exit code says so."""
    with working() as process:
        with connected("claimdrift_worker") as worker:
            wait_until(worker, ALIVE, process=process)
        with gone():
            time.sleep(1)
        deadline = time.monotonic() + 15
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)

        assert process.poll() != 0
