"""What deploys did, one JSON object a line, on disk before and after each step.

It is what `--recover` goes by, so a record counts once it is complete: a line that a crash tore is
as if it had never been written, and goes when the next one is.
"""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

Record = dict[str, Any]

DEPLOY: Final = "deploy"
# The ends of a deploy that leave nothing to do.
_ENDS: Final = frozenset({"done", "rolled_back"})


class JournalError(Exception):
    """The journal can't be read; the message says where."""


class Journal:
    """The journal in a file, which needn't exist yet."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> list[Record]:
        """All records, oldest first. Raises JournalError if one in the middle is damaged."""
        records = []
        for number, line in enumerate(self._content()[0].splitlines(), 1):
            try:
                record = json.loads(line)
                record["deploy"], record["stage"], record["status"]
            except (ValueError, KeyError, TypeError):
                raise JournalError(
                    f"{self.file}: line {number} isn't a record. Somebody changed the file, or its "
                    "disk is damaged: put it right by hand, then --recover."
                ) from None
            records.append(record)
        return records

    def write(self, deploy: str, stage: str, status: str, **more: Any) -> None:
        """Append a record; on return it survives a crash."""
        record = {"deploy": deploy, "stage": stage, "status": status,
                  "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **more}  # fmt: skip
        line = json.dumps(record, ensure_ascii=False, default=str).encode() + b"\n"
        complete, torn = self._content()
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            if torn:
                os.ftruncate(descriptor, len(complete))
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def unfinished(self) -> list[Record]:
        """The records of the last deploy if it was killed or stuck; none if all is well."""
        last = self.last()
        ended = [r for r in last if r["stage"] == DEPLOY and r["status"] in _ENDS]
        return [] if ended else last

    def last(self) -> list[Record]:
        """The records of the last deploy."""
        records = self.read()
        return [r for r in records if r["deploy"] == records[-1]["deploy"]] if records else []

    def _content(self) -> tuple[bytes, bytes]:
        """The complete lines, and what comes after the last of them."""
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return b"", b""
        end = content.rfind(b"\n") + 1
        return content[:end], content[end:]


def has(records: Sequence[Record], stage: str, status: str) -> bool:
    """Whether one of the records says so."""
    return any(r["stage"] == stage and r["status"] == status for r in records)
