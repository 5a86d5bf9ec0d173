"""manage.py demo: the main job from nothing to alerts, twice, checking every expectation."""

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from rich.console import Console
from rich.table import Table

from core import demo
from core.embedded import EmbeddedServer
from core.functions import drift_explain
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
)

CONNECTIONS = 8
REPEATED = (Upload, DriftMeasurement, DriftEvent, Alert, AlertTransition)

NEXT_STEPS = """
[bold]What next[/bold]
  make psql                 then, for example:
    SELECT * FROM alert WHERE customer_id = CUSTOMER;
    SELECT * FROM drift.measure(p_customer_id => CUSTOMER, p_as_of => current_date);
    SELECT * FROM maintenance.verify();
  Your own claims:
    .venv/bin/python manage.py customer add my-practice --name "My Practice"
    .venv/bin/python manage.py ingest claims.csv --customer my-practice
    .venv/bin/python manage.py detect --customer my-practice"""


class Command(BaseCommand):
    help = (
        "Loads two demo practices on the embedded server, detects drift with 8 connections at "
        "once, shows what was found and why, and does it all again to show nothing is doubled."
    )
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        server = settings.EMBEDDED_SERVER
        if server is None:
            raise CommandError(
                "The demo erases and makes customers of its own, so it runs on the embedded "
                "server only: unset DATABASE_URL."
            )
        started = server.start()
        try:
            Demonstration(server).run()
        finally:
            connection.close()
            if started:
                server.stop()


class Demonstration:
    """One run of the demo; `failures` collects the expectations that did not hold."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.console = Console(width=None if sys.stdout.isatty() else 110)
        self.failures: list[str] = []
        self.as_of: dict[str, date] = {}

    def run(self) -> None:
        began = time.monotonic()
        self.server.ensure_database()
        self.manage("migrate", "--verbosity=0")
        self.erase_former()
        customers = [self.add(practice) for practice in demo.PRACTICES]
        with tempfile.TemporaryDirectory() as directory:
            files = {
                practice.slug: demo.write_file(practice, self.as_of[practice.slug], Path(directory))
                for practice in demo.PRACTICES
            }
            self.ingest(files)
            self.show_loaded(customers)
            self.detect(customers)
            self.show_found(customers)
            for practice, customer in zip(demo.PRACTICES, customers, strict=True):
                self.check_alerts(practice, customer)
            self.again(customers, files)
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
            runs = DriftRun.objects.filter(customer=customer, status="completed").count()
            self.expect(
                f"all {CONNECTIONS} racing runs of {customer.slug} succeeded",
                runs % CONNECTIONS == 0 and runs > 0,
            )

    def again(self, customers: Sequence[Customer], files: dict[str, Path]) -> None:
        """Do it all once more; nothing may change but the log of runs."""
        self.console.print("\n[bold]The same files and the same 8 connections again[/bold]")
        before = self.contents(customers)
        reports = self.ingest(files)
        self.expect(
            "the files were recognised and not loaded twice",
            all("was this file" in report for report in reports),
        )
        self.detect(customers)
        self.expect("not a row was added or changed", self.contents(customers) == before)

    def contents(self, customers: Sequence[Customer]) -> dict[str, list[Any]]:
        return {
            model.__name__: list(
                model._default_manager.filter(customer__in=customers).order_by("id").values()
            )
            for model in REPEATED
        }

    # What is printed and checked.

    def expect(self, what: str, holds: bool) -> None:
        self.console.print(f"  {'[green]✓[/green]' if holds else '[red]✗[/red]'} {what}")
        if not holds:
            self.failures.append(what)

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
        table = Table(title=title, title_justify="left", title_style="bold")
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*map(str, row))
        self.console.print(table)

    def show_loaded(self, customers: Sequence[Customer]) -> None:
        self.table(
            "Loaded through manage.py ingest",
            ("customer", "rows", "inserted", "updated", "stale", "rejected", "never stored"),
            (
                (c.slug, u.rows_total, u.rows_inserted, u.rows_updated, u.rows_stale,
                 u.rows_rejected, ", ".join(u.patient_columns))
                for c in customers
                for u in Upload.objects.filter(customer=c)
            ),
        )  # fmt: skip

    def show_found(self, customers: Sequence[Customer]) -> None:
        runs = [DriftRun.objects.filter(customer=c).earliest("id") for c in customers]
        self.table(
            f"Measured, by {CONNECTIONS} connections at once",
            ("customer", "as of", "baseline", "measured", "too few claims", "drifted"),
            (
                (c.slug, r.as_of, f"{r.parameters['baseline_start']} to "
                 f"{r.parameters['baseline_end']}", r.groups_measured, r.groups_insufficient,
                 r.events_found)
                for c, r in zip(customers, runs, strict=True)
            ),
        )  # fmt: skip
        events = DriftEvent.objects.filter(customer__in=customers).select_related(
            "payer", "cpt_group"
        )
        self.table(
            "Drifted, and why",
            ("payer, group", "metric", "before", "now", "in days", "claims", "q", "severity"),
            (
                (f"{e.payer.name}, {e.cpt_group.name if e.cpt_group else 'all'}", e.metric,
                 value(e.metric, e.baseline_value), value(e.metric, e.current_value),
                 e.window_days, f"{e.current_n} v {e.baseline_n}",
                 "-" if e.q_value is None else f"{e.q_value:.1e}", f"{e.severity:.2f}")
                for e in events.order_by("customer_id", "q_value")
            ),
        )  # fmt: skip
        alerts = Alert.objects.filter(customer__in=customers).select_related(
            "customer", "payer", "cpt_group", "rule"
        )
        self.table(
            "Alerts",
            ("customer", "payer, group", "metric", "direction", "level", "status", "rule"),
            (
                (a.customer.slug, f"{a.payer.name}, {a.cpt_group.name if a.cpt_group else 'all'}",
                 a.metric, a.direction, a.level, a.status, a.rule.name)
                for a in alerts.order_by("id")
            ),
        )  # fmt: skip
        for event in events.order_by("customer_id", "q_value"):
            raised = alerts.filter(
                customer=event.customer_id, payer=event.payer_id, cpt_group=event.cpt_group_id,
                metric=event.metric, direction=event.direction,
            ).exists()  # fmt: skip
            self.console.print(
                f"  {sentence(event)} "
                + ("Hence the alert." if raised else "Better, so no rule asks for an alert.")
            )
        alert = alerts.earliest("id")
        self.console.print("\nIn full, from drift.explain:")
        for line in drift_explain(
            customer_id=alert.customer_id,
            as_of=alert.opened_as_of,
            payer_id=alert.payer_id,
            cpt_group_id=alert.cpt_group_id,
        ):
            self.console.print(f"  {line}", highlight=False)

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


def value(metric: str, number: float | None) -> str:
    """A rate as per cent, decision days as days."""
    if number is None:
        return "-"
    return f"{number:.1%}" if metric == "DENIAL_RATE" else f"{number:g} days"


def sentence(event: DriftEvent) -> str:
    """What happened, for a billing manager."""
    group = event.cpt_group.name if event.cpt_group else "all procedures"
    now, before = (value(event.metric, v) for v in (event.current_value, event.baseline_value))
    what = (
        f"denied {now} of its {group} claims"
        if event.metric == "DENIAL_RATE"
        else f"took {now} (median) to decide {group} claims"
    )
    odds = 1 / max(event.p_value or 1, 1e-9)
    return (
        f"In the last {event.window_days} days {event.payer.name} {what}, in the half year before "
        f"{before}; by chance that happens less than once in {10 ** int(math.log10(odds)):,} times."
    )
