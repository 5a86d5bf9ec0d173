"""manage.py embedded: the PostgreSQL server that a clone brings along (core/embedded.py)."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.embedded import MIGRATOR, EmbeddedServer, EmbeddedServerError


class Command(BaseCommand):
    help = (
        "Starts or stops the embedded PostgreSQL server, prints its URI (url) or opens psql on it. "
        "url and psql start it when needed."
    )
    # It has to work without a database, and whatever state the project is in.
    requires_system_checks: tuple[str, ...] = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "url", "psql"])
        parser.add_argument(
            "arguments",
            nargs=argparse.REMAINDER,
            metavar="[--login LOGIN] [--database NAME] [PSQL ARGUMENT ...]",
            help=f"for url and psql: LOGIN is {MIGRATOR} unless given, NAME claimdrift; "
            "psql gets everything else",
        )

    def handle(self, action: str, arguments: Sequence[str], **_options: object) -> None:
        login, database, rest = self._parse(arguments)
        if action == "psql":
            # psql's own options and Django's would get mixed up otherwise.
            rest = rest[1:] if rest[:1] == ["--"] else rest
        elif rest:
            raise CommandError(
                f"Unexpected: {' '.join(rest)}. (Django's own options go before {action}.)"
            )
        server = EmbeddedServer.for_clone(Path(settings.BASE_DIR))
        try:
            if action == "stop":
                self.stdout.write("Stopped." if server.stop() else "It wasn't running.")
                return
            started = server.start()
            server.ensure_database()
        except EmbeddedServerError as error:
            raise CommandError(str(error)) from error
        if action == "start":
            self.stdout.write("Started." if started else "It was running.")
        elif action == "url":
            self.stdout.write(server.url(login, database))
        else:
            program = str(server.bin_dir / "psql")
            sys.stdout.flush()
            os.execv(program, ["psql", f"--dbname={server.url(login, database)}", *rest])  # noqa: S606 (no shell wanted)

    def _parse(self, arguments: Sequence[str]) -> tuple[str, str, list[str]]:
        # Apart from Django's parser, which would refuse or reorder what is meant for psql.
        parser = argparse.ArgumentParser(
            prog="manage.py embedded", add_help=False, allow_abbrev=False
        )
        parser.add_argument("--login", default=MIGRATOR)
        parser.add_argument("--database", default="claimdrift")
        own, rest = parser.parse_known_args(arguments)
        return own.login, own.database, rest
