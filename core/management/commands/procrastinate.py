"""procrastinate's own command, whose `worker` also delivers webhooks."""

import asyncio
from contextlib import suppress
from typing import Any

from django.db import OperationalError, connection
from procrastinate import cli
from procrastinate.contrib.django import app
from procrastinate.contrib.django.management.commands.procrastinate import (
    Command as ProcrastinateCommand,
)

from core.postgresql.pooler import refuse_pooler
from core.working import connector, work


class Command(ProcrastinateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["command"] != "worker":
            super().handle(*args, **options)
            return
        # A database that can't be reached yet is the worker's own to wait for.
        with suppress(OperationalError):
            refuse_pooler(connection, "The worker")
        connection.close()
        options = {k: v for k, v in options.items() if k not in self._django_options}
        options |= {"app": app, "func": work}
        with app.replace_connector(connector()):
            asyncio.run(cli.execute_command(options))
