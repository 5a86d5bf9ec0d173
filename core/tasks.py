"""Jobs of the worker. They take ids, may run twice, and decide nothing: that is done in SQL.

The schedule is at the end: any number of workers may run it, each tick is queued once.
"""

from datetime import date

from procrastinate import JobContext
from procrastinate.contrib.django import app

from core import functions
from core.attempts import LATER, attempt, retry_stalled
from core.uploads import load_upload as load_received


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


@app.periodic(cron="*/10 * * * *")
@app.task(name="core.tasks.queue_nightly", queue="schedule", queueing_lock="queue_nightly")
def queue_nightly(timestamp: int) -> None:
    """Ask for tonight's detection, wherever it is night."""
    functions.drift_queue_nightly()


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
    pass_context=True,
)
async def retry(context: JobContext, timestamp: int) -> None:
    """Queue again what dead workers were doing."""
    await retry_stalled(
        context.app.job_manager,
        give_up={
            "core.tasks.load_upload": functions.ingest_fail_upload,
            "core.tasks.run_requested": functions.drift_fail_run,
        },
    )
