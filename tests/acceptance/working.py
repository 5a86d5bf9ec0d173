"""Real `manage.py procrastinate worker` processes, on a database of their own."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from django.conf import settings

from tests.conftest import DATABASE, SERVER, create_database
from tests.database import Database
from tests.ingest.loading import HEADER
from tests.portfolio import Portfolio

Process = subprocess.Popen[str]
# A worker takes all there is: what other tests have left queued must not be there.
OWN_DATABASE = f"{DATABASE}_worker"


@contextmanager
def own_database() -> Iterator[None]:
    create_database(OWN_DATABASE)
    yield
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser:
        superuser.autocommit = True
        with superuser.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{OWN_DATABASE}" WITH (FORCE)')


@contextmanager
def connected(login: str) -> Iterator[Database]:
    with closing(psycopg2.connect(SERVER.url(login, OWN_DATABASE))) as connection:
        connection.autocommit = True
        yield Database(connection)


@contextmanager
def working() -> Iterator[Process]:
    """A worker as it is run for real; killed at the end, if it still lives."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "procrastinate", "worker"],
        env={**os.environ, "DATABASE_URL": SERVER.url("claimdrift_worker", OWN_DATABASE)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def stop(process: Process) -> str:
    """Tell a worker to end, as a service manager does; what it logged."""
    process.send_signal(signal.SIGTERM)
    return wait_for_end(process)


def wait_for_end(process: Process) -> str:
    """Return once a worker has ended as it should; what it logged."""
    _, logged = process.communicate()
    assert process.returncode == 0, logged
    return logged.removeprefix("Working on detection, ingest, schedule, webhooks\n")


def bury(process: Process, database: Database) -> None:
    """Kill a worker, and let the time pass after which it counts as dead."""
    process.kill()
    process.wait()
    bury_alive(database)


def bury_alive(database: Database) -> None:
    """Let the time pass after which workers that give no sign of life count as dead."""
    database.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'"
    )
    # The next one does at once what the schedule has had this minute.
    database.execute("DELETE FROM procrastinate_periodic_defers")


def wait_until(database: Database, condition: str, *parameters: object, process: Process) -> None:
    """Return once a query gives true; fail if the worker ends before."""
    while not database.value(condition, *parameters):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def receive(tenant: Database, portfolio: Portfolio, content: bytes, chunk: int = 1 << 20) -> int:
    """What the API does with a file, in one transaction of the tenant's; the upload's id."""
    upload_id: int = tenant.value(
        "SELECT ingest.receive_upload(%s, 'claims.csv', %s, %s, false, false, false)",
        portfolio.customer_id,
        hashlib.sha256(content).hexdigest(),
        len(content),
    )
    for number, start in enumerate(range(0, len(content), chunk)):
        tenant.execute(
            "SELECT ingest.add_chunk(%s, %s, %s, %s)",
            portfolio.customer_id,
            upload_id,
            number,
            psycopg2.Binary(content[start : start + chunk]),
        )
    tenant.execute("SELECT ingest.queue_upload(%s, %s)", portfolio.customer_id, upload_id)
    return upload_id


def as_file(rows: Iterator[str]) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()
