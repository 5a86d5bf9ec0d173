"""Typed wrappers of the stored functions: the only Python that names them.

One wrapper per function, keyword-only, under the function's own name with its schema in front
(`drift.detect` is `drift_detect`). Database errors pass through: `core.errors` maps them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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


def drift_explain(
    *, customer_id: int, as_of: date, payer_id: int, cpt_group_id: int | None
) -> list[str]:
    """Why there was an alert on a payer's group as of a day, or why none: sentences in order.

    cpt_group_id None: the payer as a whole.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT line FROM drift.explain(p_customer_id => %(customer_id)s,"
            " p_as_of => %(as_of)s, p_payer_id => %(payer_id)s,"
            " p_cpt_group_id => %(cpt_group_id)s) ORDER BY line_number",
            {
                "customer_id": customer_id,
                "as_of": as_of,
                "payer_id": payer_id,
                "cpt_group_id": cpt_group_id,
            },
        )
        return [line for (line,) in cursor.fetchall()]


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


@dataclass(frozen=True)
class Upload:
    """What became of a file: `status` completed, failed (see `error`) or repeated.

    Repeated means that nothing was done; the numbers are those of the completed upload.
    """

    upload_id: int
    status: str
    error: str
    rows_total: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_stale: int
    rows_rejected: int


def ingest_create_staging() -> None:
    """Create pg_temp.staging, to copy rows into before `ingest_merge` in the same transaction."""
    _value("SELECT ingest.create_staging()")


def ingest_merge(
    *,
    customer_id: int,
    filename: str,
    sha256: str,
    size_bytes: int,
    strict: bool = False,
    correct: bool = False,
    force: bool = False,
    ignored_columns: Sequence[str] = (),
    patient_columns: Sequence[str] = (),
) -> Upload:
    """Validate the staged rows and apply the valid ones to the claims."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM ingest.merge(p_customer_id => %(customer_id)s,"
            " p_filename => %(filename)s, p_sha256 => %(sha256)s,"
            " p_size_bytes => %(size_bytes)s, p_strict => %(strict)s, p_correct => %(correct)s,"
            " p_force => %(force)s, p_ignored_columns => %(ignored_columns)s::text[],"
            " p_patient_columns => %(patient_columns)s::text[])",
            {
                "customer_id": customer_id,
                "filename": filename,
                "sha256": sha256,
                "size_bytes": size_bytes,
                "strict": strict,
                "correct": correct,
                "force": force,
                "ignored_columns": list(ignored_columns),
                "patient_columns": list(patient_columns),
            },
        )
        return Upload(*cursor.fetchone())


def ingest_remap_claims(*, customer_id: int) -> int:
    """Apply changed aliases and mappings to all claims. Returns how many claim lines moved."""
    moved: int = _value(
        "SELECT ingest.remap_claims(p_customer_id => %(customer_id)s)", customer_id=customer_id
    )
    return moved
