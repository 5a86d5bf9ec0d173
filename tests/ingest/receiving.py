"""Receive files the way the API does, with the worker's rights."""

import hashlib
from typing import Any

from django.db import transaction

from core import functions
from tests.ingest.loading import HEADER
from tests.portfolio import Portfolio


def as_file(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def announce(portfolio: Portfolio, content: bytes, **changes: Any) -> int:
    """Announce a file; its upload's id."""
    arguments: dict[str, Any] = {
        "filename": "claims.csv",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
    }
    return functions.ingest_receive_upload_v2(
        customer_id=portfolio.customer_id, **(arguments | changes)
    )


def receive(
    portfolio: Portfolio, content: bytes, *, chunk_bytes: int = 1 << 20, **changes: Any
) -> int:
    """Receive a file and queue it; its upload's id."""
    with transaction.atomic():
        upload_id = announce(portfolio, content, **changes)
        for number, start in enumerate(range(0, len(content), chunk_bytes)):
            functions.ingest_add_chunk(
                customer_id=portfolio.customer_id,
                upload_id=upload_id,
                number=number,
                content=content[start : start + chunk_bytes],
            )
        functions.ingest_queue_upload(customer_id=portfolio.customer_id, upload_id=upload_id)
    return upload_id


def upload(portfolio: Portfolio, upload_id: int) -> dict[str, Any]:
    """The upload's row."""
    return portfolio.owner.one(
        "SELECT * FROM upload WHERE customer_id = %s AND id = %s", portfolio.customer_id, upload_id
    )


def suspend(portfolio: Portfolio) -> None:
    portfolio.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
    )


def activate(portfolio: Portfolio) -> None:
    portfolio.worker.execute(
        "UPDATE customer SET status = 'active' WHERE id = %s", portfolio.customer_id
    )


def suspend_only(portfolio: Portfolio) -> None:
    """Suspend a customer, and put back what that ends: as if it came right after the suspension."""
    owner = portfolio.owner
    uploads = owner.execute(
        "SELECT id FROM upload WHERE customer_id = %s AND status = 'received'",
        portfolio.customer_id,
    )
    chunks = owner.execute(
        "SELECT upload_id, number, content FROM upload_chunk WHERE customer_id = %s",
        portfolio.customer_id,
    )
    suspend(portfolio)
    for [upload_id] in uploads:
        owner.execute(
            "UPDATE upload SET status = 'received', error = '', finished_at = NULL WHERE id = %s",
            upload_id,
        )
    for upload_id, number, content in chunks:
        owner.execute(
            "INSERT INTO upload_chunk (customer_id, upload_id, number, content)"
            " VALUES (%s, %s, %s, %s)",
            portfolio.customer_id,
            upload_id,
            number,
            content,
        )
