"""manage.py canary: a run of drift detection and a webhook, by a worker that is on trial."""

import time
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from core import functions
from core.management.lookup import find_customer
from core.models import Customer, WebhookDelivery, WebhookEndpoint
from core.working import CANARY

_POLL_SECONDS: Final = 0.1


class Command(BaseCommand):
    help = (
        "Has the worker of the queue `canary` (`procrastinate worker --queues canary`) detect "
        "drift for a customer and send a webhook.test to each of its active endpoints, and waits "
        "for it. No other worker takes these jobs, and that one takes no others."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="the customer, who should be made up")
        parser.add_argument(
            "--seconds", type=float, default=60.0, help="how long to wait (default: 60)"
        )

    def handle(self, *, slug: str, seconds: float, **options: Any) -> None:
        customer = find_customer(slug)
        self._forget(ProcrastinateJob.objects.filter(queue_name=CANARY, status="todo"))
        jobs = self._queue(customer)
        try:
            self._wait(jobs, seconds)
        finally:
            # Nobody would ever do them.
            self._forget(ProcrastinateJob.objects.filter(id__in=jobs, status="todo"))
        self.stdout.write(f"{len(jobs)} jobs were done by the canary.")

    def _queue(self, customer: Customer) -> dict[int, str]:
        """The jobs' ids and what they do. In one transaction: no other worker sees the webhooks."""
        with transaction.atomic():
            detection = app.configure_task("core.tasks.detect", queue=CANARY)
            jobs = {detection.defer(customer_id=customer.pk, trigger="canary"): "detection"}
            for endpoint in WebhookEndpoint.objects.filter(customer=customer, status="active"):
                delivery_id = functions.webhooks_send_test(
                    customer_id=customer.pk, endpoint_id=endpoint.pk
                )
                delivery = WebhookDelivery.objects.get(customer=customer, pk=delivery_id)
                if delivery.job_id is not None:
                    jobs[delivery.job_id] = "webhook"
            with connection.cursor() as cursor:
                # Its model is for reading only.
                cursor.execute(
                    "UPDATE procrastinate_jobs SET queue_name = %s WHERE id = ANY(%s)",
                    [CANARY, list(jobs)],
                )
        return jobs

    def _wait(self, jobs: dict[int, str], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            states = dict(ProcrastinateJob.objects.filter(id__in=jobs).values_list("id", "status"))
            for job_id, what in jobs.items():
                if states.get(job_id) in {"failed", "aborted", "cancelled", None}:
                    raise CommandError(
                        f"The canary's {what} ended as {states.get(job_id, 'deleted')}: its log "
                        "says why."
                    )
            if set(states.values()) == {"succeeded"}:
                return
            if time.monotonic() > deadline:
                waiting = sorted(what for id, what in jobs.items() if states[id] != "succeeded")
                raise CommandError(
                    f"After {seconds:g} s these jobs of the canary weren't done: "
                    f"{', '.join(waiting)}. Does it run?"
                )
            time.sleep(_POLL_SECONDS)

    def _forget(self, jobs: Any) -> None:
        for job_id in jobs.values_list("id", flat=True):
            app.job_manager.cancel_job_by_id(job_id, delete_job=True)
