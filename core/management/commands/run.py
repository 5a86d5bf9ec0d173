"""manage.py run: the API and a worker with the demo's data, to try things out."""

import os
import signal
import subprocess
import sys
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from core import demo, serving
from core.management.commands.serve import serve
from core.management.commands.token import create_token
from core.models import Customer, DriftRun, Membership, User

EMAIL = "demo@example.org"

WELCOME = """
  docs    {url}/api/v1/docs
  token   TOKEN
          (EMAIL, admin at CUSTOMER, for one day)

  curl -H "Authorization: Bearer TOKEN" {url}/api/v1/alerts
"""


class Command(BaseCommand):
    help = (
        "Serves the API, with a worker, on the embedded server with the demo's practices, and "
        "prints a token. Ctrl-C stops all of it."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")

    def handle(self, *, bind: str, **options: Any) -> None:
        server = settings.EMBEDDED_SERVER
        if server is None:
            raise CommandError(
                "This is for trying things out on the embedded server: unset DATABASE_URL. "
                "`manage.py serve` serves any other."
            )
        for number in serving.STOPPED_BY:
            signal.signal(number, _interrupt)
        try:
            with serving.listen(bind) as listener:
                started = server.start()
                try:
                    server.ensure_database()
                    token, customer = self._prepare()
                    connection.close()
                    words = {"TOKEN": token, "EMAIL": EMAIL, "CUSTOMER": customer.slug}
                    welcome = WELCOME
                    for word, value in words.items():
                        welcome = welcome.replace(word, value)
                    # To try webhooks out with a receiver on this machine.
                    os.environ.setdefault("CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK", "true")
                    serve(self, listener, worker=True, welcome=welcome)
                finally:
                    connection.close()
                    if started:
                        server.stop()
        except serving.ServingError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _prepare(self) -> tuple[str, Customer]:
        """Migrate, load the demo if it isn't there, and make a token."""
        self._manage("migrate", "--verbosity=0")
        slugs = [practice.slug for practice in demo.PRACTICES]
        done = DriftRun.objects.filter(customer__slug__in=slugs, status="completed")
        if done.values("customer").distinct().count() < len(slugs):
            self.stdout.write("Loading the demo's practices ...")
            self.stdout.flush()
            self._manage("demo")
        customers = list(Customer.objects.filter(slug__in=slugs).order_by("slug"))
        user = User.objects.filter(email=EMAIL).first() or User.objects.create_user(EMAIL)
        for customer in customers:
            Membership.objects.get_or_create(
                customer=customer, user=user, defaults={"role": "admin"}
            )
        return create_token(user, customers[0].pk, "make run", "write", 1), customers[0]

    def _manage(self, *arguments: str) -> None:
        result = subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise CommandError(f"manage.py {arguments[0]} failed:\n{result.stderr}")


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
