"""Load files of claims the way the command does."""

from io import BytesIO
from typing import Any

from core.functions import Upload
from core.ingest import load_claims
from tests.portfolio import Portfolio

HEADER = (
    "claim_number,line_number,payer,cpt,submitted_date,decided_date,outcome,"
    "billed_amount,allowed_amount,paid_amount,denial_code,source"
)
ROW = "C1,1,Aetna,99213,2026-01-05,2026-01-20,PAID,120.00,80.00,80.00,,"


def load(portfolio: Portfolio, *rows: str, header: str = HEADER, **flags: Any) -> Upload:
    """Load these rows as one file."""
    return load_bytes(portfolio, "\n".join([header, *rows, ""]).encode(), **flags)


def load_bytes(portfolio: Portfolio, content: bytes, **flags: Any) -> Upload:
    return load_claims(
        BytesIO(content), customer_id=portfolio.customer_id, filename="claims.csv", **flags
    )


def counts(upload: Upload) -> dict[str, int]:
    """What became of the rows; names without rows are left out."""
    names = ("inserted", "updated", "unchanged", "stale", "rejected")
    numbers = {name: getattr(upload, f"rows_{name}") for name in names}
    assert sum(numbers.values()) == upload.rows_total
    return {name: number for name, number in numbers.items() if number}


def row(**changes: str) -> str:
    """ROW with other values in some columns."""
    values = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | changes
    return ",".join(values[column] for column in HEADER.split(","))


def problems(portfolio: Portfolio) -> list[tuple[int, str, str]]:
    """All of upload_error: line, column, message."""
    return [
        (error["line"], error["column"], error["message"])
        for error in portfolio.rows("upload_error")
    ]
