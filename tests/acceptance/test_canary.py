"""A worker on trial does what `manage.py canary` gives it, and leaves everything else alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings

from tests.acceptance.delivering import KEY, Ledger, add_endpoint, shared_keys
from tests.acceptance.working import (
    OWN_DATABASE,
    Process,
    connected,
    own_database,
    wait_until,
)
from tests.conftest import SERVER
from tests.database import Database
from tests.portfolio import Portfolio
from tests.webhooks.receiver import Receiver

ENVIRONMENT = {
    **os.environ,
    "DATABASE_URL": SERVER.url("claimdrift_worker", OWN_DATABASE),
    "CLAIMDRIFT_WEBHOOK_KEYS": KEY,
    "CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK": "true",
}
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]


@pytest.fixture(scope="module", autouse=True)
def _database() -> Iterator[None]:
    with own_database():
        yield


@pytest.fixture(scope="module", autouse=True)
def _keys() -> Iterator[None]:
    """The keys that the worker has as well."""
    with shared_keys():
        yield


@pytest.fixture(scope="module")
def owner(_database: None) -> Iterator[Database]:
    with connected("claimdrift_migrator") as database:
        yield database


@pytest.fixture(scope="module")
def worker(_database: None) -> Iterator[Database]:
    with connected("claimdrift_worker") as database:
        yield database


@contextmanager
def canary_worker(owner: Database) -> Iterator[Process]:
    """A worker of the queue `canary`, ready to work."""
    process = subprocess.Popen(  # noqa: S603
        [*MANAGE, "procrastinate", "worker", "--queues", "canary"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(owner, "SELECT EXISTS (SELECT FROM procrastinate_workers)", process=process)
        yield process
    finally:
        process.kill()
        process.communicate()
        owner.execute("DELETE FROM procrastinate_jobs")
        owner.execute("DELETE FROM procrastinate_workers")


def canary(slug: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [*MANAGE, "canary", slug, f"--seconds={seconds}"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_canary_detects_and_delivers_and_touches_nothing_else(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    book = Ledger()
    others = worker.value(
        "SELECT drift.queue_detection(%s, NULL)", Portfolio(owner, worker).customer_id
    )
    with Receiver(book) as receiver, canary_worker(owner) as process:
        path = "/canary"
        _, secret = add_endpoint(worker, portfolio, f"http://127.0.0.1:{receiver.port}{path}")
        book.expect(path, secret)

        ended = canary(portfolio.slug)

        assert (ended.returncode, ended.stdout) == (0, "2 jobs were done by the canary.\n"), ended
        assert process.poll() is None
        assert (book.total, book.refused) == (1, [])
        assert owner.execute("SELECT trigger, status FROM drift_run") == [("canary", "completed")]
        # Nobody else's jobs: the other customer's, and that the run is to be told of.
        assert owner.execute(
            "SELECT id = %s, queue_name FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id",
            others,
        ) == [(True, "detection"), (False, "webhooks")]
        # And no schedule: what is new there the other workers couldn't do.
        assert owner.execute("SELECT * FROM procrastinate_periodic_defers") == []


def test_without_its_worker_the_canary_fails_and_leaves_no_job(
    owner: Database, portfolio: Portfolio
) -> None:
    ended = canary(portfolio.slug, seconds=0.5)

    assert ended.returncode == 1
    assert ended.stderr == (
        "CommandError: After 0.5 s these jobs of the canary weren't done: detection. Does it run?\n"
    )
    assert owner.execute("SELECT * FROM procrastinate_jobs") == []


def test_a_canary_that_fails_says_what_it_failed_at(owner: Database, portfolio: Portfolio) -> None:
    owner.execute("ALTER FUNCTION drift.detect(bigint, date, text) RENAME TO detect_elsewhere")
    try:
        with canary_worker(owner):
            ended = canary(portfolio.slug)
    finally:
        owner.execute("ALTER FUNCTION drift.detect_elsewhere(bigint, date, text) RENAME TO detect")

    assert ended.returncode == 1
    assert ended.stderr == (
        "CommandError: The canary's detection ended as failed: its log says why.\n"
    )


def test_an_unknown_customer_is_named(portfolio: Portfolio) -> None:
    ended = canary("nobody-here")

    assert ended.returncode == 1
    assert "There is no customer nobody-here." in ended.stderr
