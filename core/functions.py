"""Typed wrappers of the stored functions: the only Python that names them.

One wrapper per function, keyword-only, under the function's own name with its schema in front
(`drift.detect` is `drift_detect`). Database errors pass through: `core.errors` maps them.
"""

from datetime import date
from typing import Any

from django.db import connection


def _value(sql: str, **parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    return None if row is None else row[0]


def drift_detect(*, customer_id: int, as_of: date | None = None, trigger: str = "manual") -> int:
    """Detect drift for one customer as of a day (None: today there). Returns the drift_run's id."""
    run_id: int = _value(
        "SELECT drift.detect(p_customer_id => %(customer_id)s, p_as_of => %(as_of)s,"
        " p_trigger => %(trigger)s)",
        customer_id=customer_id,
        as_of=as_of,
        trigger=trigger,
    )
    return run_id


def drift_queue_detection(
    *, customer_id: int, as_of: date | None = None, trigger: str = "manual"
) -> int | None:
    """Queue detection for one customer. Returns the job's id, None if one is waiting already."""
    job_id: int | None = _value(
        "SELECT drift.queue_detection(p_customer_id => %(customer_id)s, p_as_of => %(as_of)s,"
        " p_trigger => %(trigger)s)",
        customer_id=customer_id,
        as_of=as_of,
        trigger=trigger,
    )
    return job_id
