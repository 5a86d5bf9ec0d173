"""Load files that wait in the database: what the API received, in chunks, the worker reads."""

import io
from collections.abc import Iterator
from typing import Final

from django.db import transaction

from core import functions
from core.ingest import ClaimFile, copy_rows
from core.ingest_header import ClaimFileError
from core.models import Upload, UploadChunk

BATCH_BYTES: Final = 4 << 20


class StoredFile(io.RawIOBase):
    """The bytes of an upload, of which one chunk at a time is in memory."""

    def __init__(self, *, customer_id: int, upload_id: int) -> None:
        self._chunks = UploadChunk.objects.filter(customer_id=customer_id, upload_id=upload_id)
        self._number = 0
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = self._chunks.filter(number=self._number).values_list("content", flat=True)
            content = chunk.first()
            if content is None:
                return 0
            self._rest = memoryview(content)
            self._number += 1
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def load_upload(*, customer_id: int, upload_id: int) -> None:
    """Load a received upload, and end it: all in one transaction, and at most once.

    A file that can't be read ends it as failed. Database errors pass through, and leave it as it
    was.
    """
    try:
        with transaction.atomic():
            if functions.ingest_take_upload(customer_id=customer_id, upload_id=upload_id):
                _load(customer_id, upload_id)
    except ClaimFileError as error:
        functions.ingest_fail_upload(customer_id=customer_id, upload_id=upload_id, error=str(error))


def _load(customer_id: int, upload_id: int) -> None:
    claim_file = ClaimFile(StoredFile(customer_id=customer_id, upload_id=upload_id))
    functions.ingest_create_staging()
    # A connection that copies can't read the next chunk: they take turns.
    for batch in _batches(claim_file.rows()):
        copy_rows(claim_file.header, iter(batch))
    _check_digest(customer_id, upload_id, claim_file.sha256)
    functions.ingest_merge_received(
        customer_id=customer_id,
        upload_id=upload_id,
        ignored_columns=claim_file.header.ignored_columns,
        patient_columns=claim_file.header.patient_columns,
    )


def _batches(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for block in blocks:
        batch.append(block)
        size += len(block)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_digest(customer_id: int, upload_id: int, sha256: str) -> None:
    announced = Upload.objects.values_list("sha256", flat=True)
    if announced.get(customer_id=customer_id, id=upload_id) != sha256:
        # Whether a file was loaded before is asked by its digest: it must be right.
        raise ClaimFileError("The file isn't the one that was announced: its SHA-256 differs.")
