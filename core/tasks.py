"""Jobs of the worker. They take ids, may run twice, and decide nothing: that is done in SQL."""

from datetime import date

from procrastinate.contrib.django import app

from core import functions


@app.task(name="core.tasks.detect", queue="detection")
def detect(*, customer_id: int, as_of: str | None = None, trigger: str = "manual") -> None:
    """Detect drift for one customer."""
    functions.drift_detect(
        customer_id=customer_id,
        as_of=date.fromisoformat(as_of) if as_of else None,
        trigger=trigger,
    )


@app.task(name="core.tasks.remap", queue="detection")
def remap(*, customer_id: int) -> None:
    """Apply a customer's changed aliases and mappings to the claims that are there."""
    functions.ingest_remap_claims(customer_id=customer_id)
