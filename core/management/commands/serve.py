"""manage.py serve: the API and a worker, until Ctrl-C."""

import os
import socket
import tempfile
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import serving


class Command(BaseCommand):
    help = (
        "Serves the API with gunicorn and runs a worker beside it, until SIGINT or SIGTERM. "
        "Ends with 1 if one of the two ends by itself."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--bind",
            default="127.0.0.1:8000",
            metavar="HOST:PORT",
            help="where to listen (default: 127.0.0.1:8000; port 0 takes any that is free)",
        )
        parser.add_argument("--no-worker", action="store_true", help="serve the API alone")

    def handle(self, *, bind: str, no_worker: bool, **options: Any) -> None:
        if settings.DATABASE_URL and not settings.WORKER_DATABASE_URL and not no_worker:
            raise CommandError(
                "The worker has a login of its own: name it in CLAIMDRIFT_WORKER_DATABASE_URL, or "
                "serve with --no-worker and run `manage.py procrastinate worker` yourself."
            )
        try:
            serve(self, serving.listen(bind), worker=not no_worker)
        except serving.ServingError as error:
            raise CommandError(str(error)) from error


def serve(
    command: BaseCommand, listener: socket.socket, *, worker: bool, welcome: str = ""
) -> None:
    """Serve until a signal comes. `welcome` is printed when it is ready, with {url} filled in."""
    with (
        listener,
        # Here rather than in gunicorn: it goes even when gunicorn was killed.
        tempfile.TemporaryDirectory(prefix="claimdrift-metrics-") as folder,
        serving.Processes() as processes,
    ):
        environment = {"PROMETHEUS_MULTIPROC_DIR": folder, **os.environ}
        if not environment.get("CLAIMDRIFT_SECRET_KEY_FILE"):
            environment["CLAIMDRIFT_SECRET_KEY"] = settings.SECRET_KEY
        serving.start_api(processes, listener, environment)
        if worker:
            serving.start_worker(processes, _for_worker(environment))
        if serving.wait_until_ready(processes, listener) is None:
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            command.stdout.write(f"Serving on {url}. Ctrl-C stops it.")
            if welcome:
                command.stdout.write(welcome.format(url=url))
            command.stdout.flush()
            processes.wait()
        command.stdout.write("Stopping ...")
        command.stdout.flush()


def _for_worker(environment: dict[str, str]) -> dict[str, str]:
    """The same, with the worker's own database URL, or the file that it is in."""
    if not settings.WORKER_DATABASE_URL:
        return environment
    own = {
        name: environment.get(f"CLAIMDRIFT_WORKER_{name}", "")
        for name in ("DATABASE_URL", "DATABASE_URL_FILE")
    }
    return environment | own
