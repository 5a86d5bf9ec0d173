"""manage.py demo: the main job from nothing to webhooks, twice, checking every expectation."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import psycopg2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from core import demo, demo_webhooks
from core.demo_report import Report
from core.embedded import EmbeddedServer
from core.functions import webhooks_pause
from core.models import (
    Alert,
    AlertTransition,
    CptGroup,
    CptMapping,
    Customer,
    DriftEvent,
    DriftMeasurement,
    DriftRun,
    Payer,
    PayerAlias,
    Upload,
    WebhookEndpoint,
)

CONNECTIONS = 8
REPEATED = (Upload, DriftMeasurement, DriftEvent, Alert, AlertTransition)

NEXT_STEPS = """
[bold]What next[/bold]
  make psql                 then, for example:
    SELECT * FROM alert WHERE customer_id = CUSTOMER;
    SELECT * FROM drift.measure(p_customer_id => CUSTOMER, p_as_of => current_date);
    SELECT * FROM webhook_attempt WHERE customer_id = CUSTOMER;
    SELECT * FROM maintenance.verify();
  Your own claims:
    .venv/bin/python manage.py customer add my-practice --name "My Practice"
    .venv/bin/python manage.py ingest claims.csv --customer my-practice
    .venv/bin/python manage.py detect --customer my-practice"""


class Command(BaseCommand):
    help = (
        "Loads two demo practices on the embedded server, detects drift with 8 connections at "
        "once, shows what was found and why, has a worker tell a receiver of webhooks, and does "
        "it all again to show nothing is doubled."
    )
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        server = settings.EMBEDDED_SERVER
        if server is None:
            raise CommandError(
                "The demo erases and makes customers of its own, so it runs on the embedded "
                "server only: unset DATABASE_URL."
            )
        # Else the worker and the server would stay.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        started = server.start()
        try:
            Demonstration(server).run()
        except KeyboardInterrupt:
            raise CommandError("The demo was interrupted.", returncode=130) from None
        finally:
            connection.close()
            if started:
                server.stop()


class Demonstration(Report):
    """One run of the demo."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__()
        self.server = server
        self.as_of: dict[str, date] = {}
        self.receiver = demo_webhooks.Receiver()

    def run(self) -> None:
        began = time.monotonic()
        self.server.ensure_database()
        self.manage("migrate", "--verbosity=0")
        self.erase_former()
        customers = [self.add(practice) for practice in demo.PRACTICES]
        with self.receiver, tempfile.TemporaryDirectory() as directory:
            for customer in customers:
                self.receiver.subscribe(customer)
            files = {
                practice.slug: demo.write_file(practice, self.as_of[practice.slug], Path(directory))
                for practice in demo.PRACTICES
            }
            self.ingest(files)
            self.show_loaded(customers)
            self.detect(customers)
            self.show_found(customers, CONNECTIONS)
            for practice, customer in zip(demo.PRACTICES, customers, strict=True):
                self.check_alerts(practice, customer)
            self.deliver(customers, files)
        self.console.print(f"\n{time.monotonic() - began:.0f} s in all.")
        if self.failures:
            raise CommandError("Expectations that did not hold: " + "; ".join(self.failures))
        self.show_next_steps(customers[0])

    # The steps.

    def manage(self, *arguments: str) -> str:
        """Run manage.py as a user would: as a process, with its own login."""
        result = subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise CommandError(f"manage.py {' '.join(arguments)} failed:\n{result.stderr}")
        return result.stdout

    def erase_former(self) -> None:
        """Remove what an earlier demo left, with the function a DBA would use."""
        former = Customer.objects.filter(slug__in=[p.slug for p in demo.PRACTICES])
        with closing(psycopg2.connect(self.server.url("claimdrift_migrator"))) as owner:
            owner.autocommit = True
            for customer in former:
                finished = False
                while not finished:
                    with owner.cursor() as cursor:
                        cursor.execute(
                            "SELECT bool_and(finished) FROM maintenance.erase_customer(%s)",
                            [customer.pk],
                        )
                        [[finished]] = cursor.fetchall()

    def add(self, practice: demo.Practice) -> Customer:
        self.manage(
            "customer", "add", practice.slug, "--name", practice.name,
            "--time-zone", practice.time_zone,
        )  # fmt: skip
        customer = Customer.objects.get(slug=practice.slug)
        self.as_of[practice.slug] = datetime.now(ZoneInfo(practice.time_zone)).date()
        groups = {
            name: CptGroup.objects.create(customer=customer, name=name)
            for name in sorted(set(practice.mappings.values()))
        }
        for cpt, name in practice.mappings.items():
            CptMapping.objects.create(customer=customer, cpt=cpt, cpt_group=groups[name])
        for alias, name in practice.aliases.items():
            payer = Payer.objects.create(customer=customer, name=name)
            PayerAlias.objects.create(customer=customer, alias=alias, payer=payer)
        return customer

    def ingest(self, files: dict[str, Path]) -> list[str]:
        """Load the files, one process each, at the same time."""
        with ThreadPoolExecutor() as pool:
            return list(
                pool.map(
                    lambda item: self.manage("ingest", str(item[1]), "--customer", item[0]),
                    files.items(),
                )
            )

    def detect(self, customers: Sequence[Customer]) -> None:
        """Run detection for each customer on 8 connections at once: as if 8 workers raced."""

        def race(customer: Customer) -> None:
            url = self.server.url("claimdrift_worker")
            with closing(psycopg2.connect(url)) as racer, racer, racer.cursor() as cursor:
                cursor.execute(
                    "SELECT drift.detect(p_customer_id => %s, p_as_of => %s)",
                    [customer.pk, self.as_of[customer.slug]],
                )

        with ThreadPoolExecutor(max_workers=CONNECTIONS * len(customers)) as pool:
            list(pool.map(race, [c for _ in range(CONNECTIONS) for c in customers]))
        for customer in customers:
            # The worker has runs of its own.
            runs = DriftRun.objects.filter(
                customer=customer, status="completed", trigger="manual"
            ).count()
            self.expect(
                f"all {CONNECTIONS} racing runs of {customer.slug} succeeded",
                runs % CONNECTIONS == 0 and runs > 0,
            )

    def deliver(self, customers: Sequence[Customer], files: dict[str, Path]) -> None:
        """Have a real worker deliver all that happened; then once more, beside it."""
        try:
            with demo_webhooks.working() as worker:
                worker.wait_until_idle(customers)
                self.show_delivered(customers, self.receiver)
                for customer in customers:
                    self.check_delivered(customer)
                self.again(customers, files, worker)
                # Nobody listens there any more: with `make run`, say, it would fail for days.
                for endpoint in WebhookEndpoint.objects.filter(customer__in=customers):
                    webhooks_pause(customer_id=endpoint.customer_id, endpoint_id=endpoint.pk)
                code = worker.stop()
        except demo_webhooks.WorkerFailed as error:
            raise CommandError(str(error)) from error
        self.expect("the worker ended when it was told to", code == 0)

    def again(
        self,
        customers: Sequence[Customer],
        files: dict[str, Path],
        worker: demo_webhooks.Worker,
    ) -> None:
        """Do it all once more; nothing may change but the log of runs."""
        self.console.print("\n[bold]The same files and the same 8 connections again[/bold]")
        before = self.contents(customers)
        told = len(self.receiver.received)
        runs = DriftRun.objects.filter(customer__in=customers).count()
        reports = self.ingest(files)
        self.expect(
            "the files were recognised and not loaded twice",
            all("was this file" in report for report in reports),
        )
        self.detect(customers)
        self.expect("not a row was added or changed", self.contents(customers) == before)
        worker.wait_until_idle(customers)
        new = [received.event["type"] for received in self.receiver.received[told:]]
        runs = DriftRun.objects.filter(customer__in=customers).count() - runs
        self.expect(
            "nothing was told again; what is new are the runs",
            new == ["drift_run.completed"] * runs,
        )
        for customer in customers:
            self.check_delivered(customer)

    def contents(self, customers: Sequence[Customer]) -> dict[str, list[Any]]:
        return {
            model.__name__: list(
                model._default_manager.filter(customer__in=customers).order_by("id").values()
            )
            for model in REPEATED
        }

    def check_delivered(self, customer: Customer) -> None:
        received = self.receiver.of(customer)
        self.expect(
            f"{customer.name}: all that happened was told, each of it once",
            sorted(r.subject for r in received) == sorted(demo_webhooks.to_be_told(customer))
            and len({r.message_id for r in received}) == len(received),
        )
        self.expect(
            f"{customer.name}: every signature was right",
            all(r.verified for r in received),
        )

    def check_alerts(self, practice: demo.Practice, customer: Customer) -> None:
        alerts = Alert.objects.filter(customer=customer).select_related("payer", "cpt_group")
        found = [(a.payer.name, a.cpt_group.name if a.cpt_group else "", a.metric) for a in alerts]
        wanted = [(e.payer, e.group, e.metric) for e in practice.expected]
        self.expect(
            f"{practice.name}: one alert for each payer that changed, none for the others",
            sorted(found) == sorted(wanted),
        )
        rejected = Upload.objects.get(customer=customer).rows_rejected
        self.expect(
            f"{practice.name}: the {practice.bad_rows} bad rows were kept out, the rest loaded",
            rejected == practice.bad_rows,
        )

    def show_next_steps(self, customer: Customer) -> None:
        self.console.print(NEXT_STEPS.replace("CUSTOMER", str(customer.pk)), highlight=False)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
