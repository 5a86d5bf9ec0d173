"""manage.py detect: detect drift now, or queue it for every customer."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core import functions
from core.errors import explain
from core.management.lookup import find_customer
from core.models import Customer, DriftRun


class Command(BaseCommand):
    help = "Detects drift for one customer now, or queues one job per active customer."

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--customer", metavar="SLUG", help="detect for this customer, now")
        who.add_argument("--all", action="store_true", help="queue a job for each active customer")
        parser.add_argument(
            "--as-of",
            type=date.fromisoformat,
            metavar="DATE",
            help="look back from this day, without it (YYYY-MM-DD; default: today at the customer)",
        )

    def handle(self, *, customer: str | None, as_of: date | None, **options: Any) -> None:
        if customer is None:
            self._queue(as_of)
        else:
            self._detect(find_customer(customer), as_of)

    def _queue(self, as_of: date | None) -> None:
        customers = Customer.objects.filter(status=Customer.Status.ACTIVE).order_by("id")
        jobs = [functions.drift_queue_detection(customer_id=c.pk, as_of=as_of) for c in customers]
        queued = sum(job is not None for job in jobs)
        self.stdout.write(f"Queued {queued} jobs; {len(jobs) - queued} were waiting already.")

    def _detect(self, customer: Customer, as_of: date | None) -> None:
        try:
            run_id = functions.drift_detect(customer_id=customer.pk, as_of=as_of)
        except DatabaseError as error:
            raise CommandError(explain(error)) from error
        run = DriftRun.objects.get(customer=customer, id=run_id)
        self.stdout.write(
            f"Run {run.pk} as of {run.as_of}: {run.groups_measured} measured, "
            f"{run.groups_insufficient} with too few claims, {run.events_found} drifted."
        )
        if not run.applied:
            self.stdout.write(
                "It raised no alerts: "
                + (
                    "a newer day was measured already."
                    if run.groups_measured
                    else "nothing had enough claims."
                )
            )
