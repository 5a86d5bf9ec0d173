"""Jobs of the worker. They take ids, may run twice, and decide nothing: that is done in SQL.

The schedule is at the end: any number of workers may run it, each tick is queued once.
"""

import logging
from datetime import date
from typing import cast

from procrastinate import JobContext
from procrastinate.connector import BaseAsyncConnector
from procrastinate.contrib.django import app

from core import functions
from core.attempts import AFTER_STOP, LATER, attempt
from core.uploads import load_upload as load_received
from core.webhooks.sender import Sender

logger = logging.getLogger(__name__)


@app.task(name="core.tasks.load_upload", queue="ingest", retry=LATER)
def load_upload(*, customer_id: int, upload_id: int) -> None:
    """Load a file that the API received."""
    attempt(
        lambda: load_received(customer_id=customer_id, upload_id=upload_id),
        give_up=lambda error: functions.ingest_fail_upload(
            customer_id=customer_id, upload_id=upload_id, error=error
        ),
    )


@app.task(name="core.tasks.remap", queue="detection")
def remap(*, customer_id: int) -> None:
    """Apply a customer's changed aliases and mappings to the claims that are there."""
    attempt(lambda: functions.ingest_remap_claims(customer_id=customer_id))


@app.task(name="core.tasks.detect", queue="detection")
def detect(*, customer_id: int, as_of: str | None = None, trigger: str = "manual") -> None:
    """Detect drift for one customer."""
    attempt(
        lambda: functions.drift_detect(
            customer_id=customer_id,
            as_of=date.fromisoformat(as_of) if as_of else None,
            trigger=trigger,
        )
    )


@app.task(name="core.tasks.run_requested", queue="detection", retry=LATER)
def run_requested(*, customer_id: int, run_id: int) -> None:
    """Carry out a run that somebody, or the schedule, asked for."""

    def work() -> None:
        if functions.drift_start_run(customer_id=customer_id, run_id=run_id):
            functions.drift_run_requested(customer_id=customer_id, run_id=run_id)

    attempt(
        work,
        give_up=lambda error: functions.drift_fail_run(
            customer_id=customer_id, run_id=run_id, error=error
        ),
    )


@app.task(name="core.tasks.deliver", queue="webhooks", retry=AFTER_STOP, pass_context=True)
async def deliver(context: JobContext, *, customer_id: int, delivery_id: int) -> str:
    """Attempt a webhook's delivery."""
    sender: Sender = context.additional_context["sender"]
    return await sender.deliver(
        cast(BaseAsyncConnector, context.app.connector),
        context.additional_context["database"],
        customer_id=customer_id,
        delivery_id=delivery_id,
    )


@app.periodic(cron="*/10 * * * *")
@app.task(name="core.tasks.queue_nightly", queue="schedule", queueing_lock="queue_nightly")
def queue_nightly(timestamp: int) -> None:
    """Ask for tonight's detection, wherever it is night."""
    functions.drift_queue_nightly()


@app.periodic(cron="* * * * *")
@app.task(
    name="core.tasks.requeue_deliveries", queue="schedule", queueing_lock="requeue_deliveries"
)
def requeue_deliveries(timestamp: int) -> None:
    """Queue the webhooks that are due and have no job."""
    functions.maintenance_requeue_deliveries()


@app.periodic(cron="30 3 * * *")
@app.task(name="core.tasks.prune", queue="schedule", queueing_lock="prune")
def prune(timestamp: int) -> None:
    """Delete what is old and needed by nothing."""
    while functions.maintenance_prune():
        pass


@app.periodic(cron="* * * * *")
@app.task(
    name="core.tasks.retry_stalled",
    queue="schedule",
    queueing_lock="retry_stalled",
    priority=1,
)
def retry_stalled(timestamp: int) -> None:
    """Queue again what dead workers were doing."""
    for job in functions.maintenance_requeue_stalled_jobs():
        if job.outcome == "failed":
            logger.error("Job %s (%s) was given up: its worker died each time.", job.id, job.task)
