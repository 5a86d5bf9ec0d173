"""Deliveries by real workers to a receiver that checks each as a customer's own would."""

import asyncio
import base64
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg2
import standardwebhooks
from django.conf import settings
from django.test import override_settings

from core.webhooks import secrets
from tests.acceptance.working import OWN_DATABASE, Process
from tests.conftest import SERVER
from tests.database import Database
from tests.portfolio import Portfolio
from tests.webhooks.receiver import Exchange, answer

KEY = base64.b64encode(b"k" * 32).decode()
# Far more than it takes; what takes longer has failed.
LIMIT_SECONDS = 120.0


@contextmanager
def shared_keys() -> Iterator[None]:
    """The keys of webhook secrets, as the processes of a test have them."""
    with override_settings(WEBHOOK_KEYS=[KEY]):
        secrets._keys.cache_clear()
        yield
    secrets._keys.cache_clear()


class Ledger:
    """What arrived, by webhook-id; a receiver's script. Refuses what isn't signed as it should."""

    def __init__(self, *, pause: float = 0.0) -> None:
        self.receipts: Counter[str] = Counter()
        self.refused: list[str] = []
        self._pause = pause
        self._verifiers: dict[str, standardwebhooks.Webhook] = {}
        self._guard = threading.Lock()

    def expect(self, path: str, secret: str) -> None:
        self._verifiers[path] = standardwebhooks.Webhook(secret)

    @property
    def total(self) -> int:
        return self.receipts.total()

    async def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        try:
            self._verifiers[request.path].verify(request.body, request.headers)
        except (standardwebhooks.WebhookVerificationError, KeyError) as error:
            self.refused.append(repr(error))
            await exchange.send(answer(400))
            return
        # It has it from here on, whatever becomes of the answer.
        self.receipts[request.headers["webhook-id"] + request.path] += 1
        await asyncio.sleep(self._pause)
        await exchange.send(answer(204))


def add_endpoint(
    worker: Database, portfolio: Portfolio, url: str, *, max_in_flight: int = 10
) -> tuple[int, str]:
    """An endpoint of a customer; its id and its secret."""
    secret = secrets.create(customer_id=portfolio.customer_id)
    endpoint_id: int = worker.value(
        "SELECT webhooks.create_endpoint(%s, %s, '', '{}', %s, %s, %s)",
        portfolio.customer_id,
        url,
        max_in_flight,
        psycopg2.Binary(secret.ciphertext),
        secret.key_id,
    )
    return endpoint_id, secret.text


def publish(portfolio: Portfolio, count: int) -> list[str]:
    """That so much happened, in one transaction; the ids of its messages."""
    return [
        message_id
        for (message_id,) in portfolio.owner.execute(
            """
            INSERT INTO webhook_event (customer_id, type, payload, message_id, dedup_key)
            SELECT %s, 'alert.opened', webhooks.payload('alert.opened', now(),
                jsonb_build_object('alert_id', n)), id, id
            FROM (
                SELECT n, webhooks.new_message_id() AS id FROM generate_series(1, %s) AS n
            ) AS happened
            RETURNING message_id
            """,
            portfolio.customer_id,
            count,
        )
    ]


class Worker:
    """A worker's process, and how the queue knows it."""

    def __init__(self, process: Process, queue_ids: Sequence[int]) -> None:
        self.process = process
        self.queue_ids = list(queue_ids)


@contextmanager
def crew() -> Iterator[list[Worker]]:
    """Workers that live no longer than this."""
    workers: list[Worker] = []
    try:
        yield workers
    finally:
        for member in workers:
            member.process.kill()
            member.process.wait()
            if member.process.stderr:
                member.process.stderr.close()


def hire(workers: list[Worker], database: Database, **environment: str) -> Worker:
    """Start another worker, and return when it works."""
    known = [row[0] for row in database.execute("SELECT id FROM procrastinate_workers")]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "procrastinate", "worker"],
        env={
            **os.environ,
            "DATABASE_URL": SERVER.url("claimdrift_worker", OWN_DATABASE),
            "CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK": "1",
            "CLAIMDRIFT_WEBHOOK_KEYS": KEY,
            "CLAIMDRIFT_WEBHOOK_SCHEDULE": "1 1 1 1 1 1 1 1 1 1",
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    member = Worker(process, [])
    workers.append(member)

    def both_loops_are_there() -> bool:
        assert process.poll() is None, process.communicate()
        member.queue_ids = [
            row[0]
            for row in database.execute(
                "SELECT id FROM procrastinate_workers WHERE id <> ALL(%s)", known
            )
        ]
        return len(member.queue_ids) >= 2

    wait_for(both_loops_are_there)
    return member


def wait_for(condition: Callable[[], bool], *, says: Callable[[], object] = lambda: "") -> None:
    """Return once it is so; fail if that takes too long, and say what is instead."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, says()
        time.sleep(0.01)


def unfinished(database: Database) -> list[tuple[object, ...]]:
    """Deliveries that are still pending, and what is known of them."""
    return database.execute(
        "SELECT d.id, d.attempts, d.last_error, d.leased_until - now(), d.next_attempt_at - now(),"
        " j.status FROM webhook_delivery AS d LEFT JOIN procrastinate_jobs AS j ON j.id = d.job_id"
        " WHERE d.status = 'pending' ORDER BY d.id LIMIT 20"
    )


def under_way(database: Database) -> list[tuple[int, int]]:
    """Attempts that have begun and not ended: the deliveries' ids and their numbers."""
    return [
        (delivery_id, number)
        for delivery_id, number in database.execute(
            "SELECT id, attempts FROM webhook_delivery WHERE leased_until IS NOT NULL"
        )
    ]


def has_ended(member: Worker) -> bool:
    """Whether a worker has ended by itself, or is about to."""
    try:
        member.process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill(workers: list[Worker], member: Worker) -> None:
    """SIGKILL."""
    member.process.kill()
    member.process.communicate()
    workers.remove(member)


def let_time_pass(superuser: Database, lost: Sequence[tuple[int, int]], member: Worker) -> None:
    """What passes until a worker counts as dead, and the leases of its attempts have run out.

    A minute, that is, in which the others would have nothing left to do.
    """
    superuser.execute(
        "UPDATE webhook_delivery AS d SET leased_until = d.leased_until - interval '1 minute'"
        " FROM unnest(%s::bigint[], %s::int[]) AS lost (id, number)"
        " WHERE d.id = lost.id AND d.attempts = lost.number AND d.leased_until IS NOT NULL",
        [delivery_id for delivery_id, _ in lost],
        [number for _, number in lost],
    )
    superuser.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'"
        " WHERE id = ANY(%s)",
        member.queue_ids,
    )
    # The next one that starts does at once what the schedule has had this minute.
    superuser.execute("DELETE FROM procrastinate_periodic_defers")


def restart(*, spared: Sequence[Database], seconds: float) -> None:
    """What a restart of the database is to its clients, but for some that the test needs.

    No session survives, whatever it was doing, and for a while nobody gets a new one. The server
    itself is other tests' as well.
    """
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as connection:
        connection.autocommit = True
        superuser = Database(connection)
        superuser.execute(f'ALTER DATABASE "{OWN_DATABASE}" ALLOW_CONNECTIONS false')
        try:
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> ALL(%s)",
                OWN_DATABASE,
                [database.connection.info.backend_pid for database in spared],
            )
            time.sleep(seconds)
        finally:
            superuser.execute(f'ALTER DATABASE "{OWN_DATABASE}" ALLOW_CONNECTIONS true')
