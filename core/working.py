"""The worker: one process with two loops over the queue.

Deliveries of webhooks mostly wait for somebody else's server, so there are a hundred at once, on
the event loop; everything else works the database in threads, so there are few.
"""

import asyncio
import select
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from procrastinate import App
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.periodic import PeriodicRegistry
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.signals import on_stop
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.postgresql.base import DatabaseWrapper
from core.webhooks.sender import Sender

WEBHOOKS: Final = "webhooks"
OTHERS: Final = ("ingest", "detection", "schedule")
# Jobs of `manage.py canary`: what a new release's worker does before it is trusted with others.
CANARY: Final = "canary"


def connector(*, durable: bool = False) -> PsycopgConnector:
    """The worker's own connections. Each statement is a transaction: what it says has happened.

    Not durable: a crash of PostgreSQL may undo the last moments. That suits the queue, whose jobs
    may run twice anyway. It is asked for one job at a time, so waiting for the disk each time
    would be what limits how many are done.
    """
    return PsycopgConnector(
        pool_factory=_pool,
        kwargs=_parameters,
        configure=_durable if durable else _quick,
        min_size=2,
        max_size=8,
    )


def _parameters() -> dict[str, Any]:
    """Asked for each new connection: the password may have been changed by then."""
    cast(DatabaseWrapper, connection).read_url_again()
    return connector_params()


def _pool(**options: Any) -> AsyncConnectionPool:
    # procrastinate would ask the server each time whether the connection is alive.
    return AsyncConnectionPool(**options | {"check": _check})


async def _check(connection: AsyncConnection) -> None:
    """Ask the server only if it has said something, which it does when it goes."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def _durable(connection: AsyncConnection) -> None:
    await connection.set_autocommit(True)


async def _quick(connection: AsyncConnection) -> None:
    await _durable(connection)
    await connection.execute("SET synchronous_commit TO off")


@asynccontextmanager
async def _opened(database: PsycopgConnector) -> AsyncIterator[None]:
    await database.open_async()
    try:
        yield
    finally:
        await database.close_async()


async def work(*, app: App, **options: Any) -> None:
    """Work on the queues that were asked for, all of them by default, until told to stop."""
    queues = set(options.pop("queues", None) or (WEBHOOKS, *OTHERS))
    print(f"Working on {', '.join(sorted(queues))}", file=sys.stderr)
    if queues == {CANARY}:
        # Its schedule isn't everybody's yet: what is new there the others couldn't do.
        app.periodic_registry = PeriodicRegistry()  # type: ignore[no-untyped-call]
    running: list[asyncio.Task[None]] = []
    is_told = not options.get("wait", True)

    def stop() -> None:
        nonlocal is_told
        is_told = True
        _cancel(running)

    database = connector(durable=True)
    async with _opened(database), Sender() as sender:
        context = {"sender": sender, "database": database}
        loops: list[dict[str, Any]] = []
        if others := sorted(queues - {WEBHOOKS}):
            loops.append({"queues": others, "additional_context": context})
        if WEBHOOKS in queues:
            loops.append(
                {
                    "concurrency": settings.WEBHOOK_CONCURRENCY,
                    "queues": [WEBHOOKS],
                    "additional_context": context,
                    # Deliveries don't touch Django's connections: nothing to clean up after them.
                    "task_middleware": [],
                }
            )
        # Each would have the signals for itself.
        options["install_signal_handlers"] = False
        try:
            async with asyncio.TaskGroup() as group:
                running += [
                    group.create_task(app.run_worker_async(**{**loop, **options})) for loop in loops
                ]
                # A loop that is cancelled finishes what it is doing, as long as it may take.
                with on_stop(stop):
                    # With --one-shot each ends when its queues are empty.
                    await asyncio.wait(
                        running,
                        return_when=asyncio.ALL_COMPLETED if is_told else asyncio.FIRST_COMPLETED,
                    )
                    _cancel(running)
        except* ConnectorException as errors:
            raise errors.exceptions[0] from None
    if not is_told:
        # procrastinate ends as if all were well.
        raise CommandError("The worker lost the database. Start it again.")


def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        # Told once more, it would leave what it is doing.
        if not task.cancelling():
            task.cancel()
