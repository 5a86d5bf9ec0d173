"""`migrate` that knows about triggers and stored logic, and is in nobody's way for long."""

import time
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, connections

from core.autodetector import Autodetector
from core.online_catalogue import OnlineChangeError, fetch
from core.online_waiting import PATIENCE_SECONDS, LockWatch, is_lock_failure, pauses
from core.postgresql.pooler import refuse_pooler

# Any number that no other advisory lock of the session level has; ours are all of transactions.
_LOCK = 5_417_803_114


class Command(migrate.Command):
    """Migrate one at a time, with short waits for locks that are tried again.

    What was rolled back or left half-done by a lock that wasn't to be had is repeated: migrations
    are atomic, or hold only operations that can be run again.
    """

    autodetector = Autodetector

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--patience",
            type=float,
            default=PATIENCE_SECONDS,
            help="Seconds for which locks are tried again before giving up (default: %(default)g).",
        )

    def handle(self, *args: Any, patience: float = PATIENCE_SECONDS, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        connection = connections[options["database"]]
        self._become_only_one(connection)
        try:
            self._prepare_session(connection)
            with LockWatch(connection) as watch:
                self._repeat(watch, patience, *args, **options)
        finally:
            # With the connection go its lock and settings.
            with suppress(OperationalError):
                connection.close()

    def _become_only_one(self, connection: Any) -> None:
        """Take the lock of all migrations of this database, held while the session lasts."""
        refuse_pooler(connection, "manage.py migrate")
        waits = False
        # Asked for again and again, not waited for: a waiting statement's snapshot would keep the
        # other one's CREATE INDEX CONCURRENTLY waiting for this session.
        while not fetch(connection, "SELECT pg_try_advisory_lock(%s)", _LOCK)[0][0]:
            if not waits:
                self.stdout.write("Another migrate is at work here; waiting until it has ended ...")
                self.stdout.flush()
            waits = True
            time.sleep(0.2)

    def _prepare_session(self, connection: Any) -> None:
        milliseconds = str(settings.MIGRATE_LOCK_TIMEOUT)
        fetch(connection, "SELECT set_config('lock_timeout', %s, false)", milliseconds)
        # What a killed migrate was doing ends with it, rather than holding the lock for hours.
        fetch(connection, "SELECT set_config('client_connection_check_interval', '1s', false)")

    def _repeat(self, watch: LockWatch, patience: float, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        for passed in pauses(patience):
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                if not is_lock_failure(error):
                    raise
            self._prepare_session(connection)
            self.stdout.write(
                f"\n  Waited in vain for {watch.seen}. Trying again"
                f" ({passed:.0f} of {patience:.0f} seconds) ..."
            )
            self.stdout.flush()
        raise OnlineChangeError(
            f"Gave up after {patience:.0f} seconds, waiting for {watch.seen}. What was applied"
            " until then stays applied; end that session, then run migrate again."
        )
