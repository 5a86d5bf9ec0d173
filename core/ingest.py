"""Read a file of claims in constant memory and hand its rows to the database.

Only the file's form is dealt with here: compression, encoding, separator, quotes, header. What a
value means, and whether it can be right, `ingest.merge_v2` decides. Columns that aren't known never
leave this process.
"""

import csv
import gzip
import hashlib
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from operator import itemgetter, methodcaller
from typing import BinaryIO, Final, Protocol

from django.db import connection, transaction

from core import functions
from core.ingest_header import ClaimFileError, Header, read_header

# About what a socket holds: while the server takes in one block, the next one is translated.
BLOCK_BYTES: Final = 1 << 16
MAX_RECORD_BYTES: Final = 64 * 1024
MAX_RECORD_LINES: Final = 100

_CONTROL_BYTES: Final = bytes({*range(32), 127} - set(b"\t\n\r"))
_C1: Final = re.compile("[\x80-\x9f]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Possessive: without a closing quote, trying all splits of the text would take forever.
_UP_TO_CLOSING_QUOTE: Final = re.compile(rb'(?:[^"]++|"")*+"(?!")')

# Reasons go through COPY unquoted: no separator in them.
_TOO_LONG: Final = "is longer than 64 KiB"
_UNCLOSED: Final = "has a quote that isn't closed"
_MALFORMED: Final = "has quotes that don't enclose a whole value"


MAX_SOURCE_LENGTH: Final = 64


def is_source(text: str) -> bool:
    """Whether a billing system may be called so; said early what the database would refuse."""
    return len(text) <= MAX_SOURCE_LENGTH and text.isprintable()


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Source:
    """The file's bytes, hashed and counted on the way. What was peeked at is read again."""

    def __init__(self, stream: Readable, on_read: Callable[[int], None] | None) -> None:
        self._stream = stream
        self._on_read = on_read
        self._peeked = b""
        self.hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        if self._peeked:
            # Never more than was asked for: gzip reads its header piece by piece.
            end = len(self._peeked) if size < 0 else size
            chunk, self._peeked = self._peeked[:end], self._peeked[end:]
            return chunk
        chunk = self._stream.read(size)
        self.hash.update(chunk)
        self.size += len(chunk)
        if self._on_read is not None:
            self._on_read(len(chunk))
        return chunk

    def peek(self, size: int) -> bytes:
        """The first bytes, fewer only at the end of the file."""
        start = b""
        while len(start) < size and (chunk := self.read(size - len(start))):
            start += chunk
        self._peeked = start
        return start


class ClaimFile:
    """One file of claims. Raises ClaimFileError when it has no usable header.

    `on_read` is called with the number of bytes that were read, compressed as they may be.
    """

    def __init__(
        self,
        stream: Readable,
        *,
        on_read: Callable[[int], None] | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._source = _Source(stream, on_read)
        self._block_bytes = block_bytes
        self._text: Readable = self._source
        if self._source.peek(4).startswith(b"\x1f\x8b"):
            self._text = gzip.GzipFile(fileobj=self._source, mode="rb")  # type: ignore[call-overload]
        # What was read and not yet handed on, and the number of its first line.
        self._buffer = b""
        self._line = 1
        self.header = read_header(self._first_line())
        self._separator = self.header.separator.encode()
        self._projected = len(self.header.columns) < self.header.width
        # Lines of a record whose quotes are open so far.
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    @property
    def sha256(self) -> str:
        """Of the bytes that were read so far: of the whole file once `rows` is exhausted."""
        return self._source.hash.hexdigest()

    @property
    def size_bytes(self) -> int:
        return self._source.size

    def rows(self) -> Iterator[bytes]:
        """CSV for COPY, in blocks of rows: line, fault_column, fault, then the known columns.

        Raises ClaimFileError when the file turns out to be corrupt.
        """
        for block in self._blocks():
            rows = self._translate_block(block)
            if rows is None:
                rows = b"".join(self._translate_lines(block.split(b"\n")[:-1]))
            if rows:
                yield rows
        if rows := b"".join(self._translate_pending()):
            yield rows
        # Bytes that decompression didn't ask for belong to the file as well.
        while self._source.read(self._block_bytes):
            pass

    # From bytes to lines.

    def _read(self) -> bytes:
        try:
            return self._text.read(self._block_bytes)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise ClaimFileError("The gzip file is corrupt or cut off.") from None

    def _first_line(self) -> bytes:
        """The first line that isn't blank, without its end."""
        while (chunk := self._read()) or self._buffer:
            data = self._buffer + chunk
            if len(data) < 4 and chunk:
                self._buffer = data
                continue
            if self._line == 1:
                data = _without_mark(data)
            while (end := data.find(b"\n")) >= 0 and not data[:end].strip():
                data = data[end + 1 :]
                self._line += 1
            self._buffer = data
            if end >= 0 or not chunk:
                line, _, self._buffer = data.partition(b"\n")
                self._line += 1
                return line
            if len(data) > MAX_RECORD_BYTES:
                raise ClaimFileError("The first line is longer than 64 KiB: it isn't a header.")
        return b""

    def _blocks(self) -> Iterator[bytes]:
        """Whole lines, each ending in a line feed. Of one that is too long, enough to tell."""
        rest = self._buffer
        while chunk := self._read():
            data = rest + chunk
            end = data.rfind(b"\n") + 1
            rest = data[end:][: MAX_RECORD_BYTES + 1]
            if end:
                yield data[:end]
        if rest:
            yield rest.removesuffix(b"\n") + b"\n"

    # From lines to rows.

    def _translate_block(self, block: bytes) -> bytes | None:
        """All rows of a block at once; None if any of them needs a closer look."""
        if self._pending or b'"' in block:
            return None
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
            if b"\r" in block:
                return None
        if len(block.translate(None, _CONTROL_BYTES)) < len(block):
            return None
        if not block.isascii():
            try:
                if _C1.search(block.decode()):
                    return None
            except UnicodeDecodeError:
                return None
        lines = block.split(b"\n")
        del lines[-1]
        separators = set(map(methodcaller("count", self._separator), lines))
        if separators != {self.header.width - 1} or max(map(len, lines)) > MAX_RECORD_BYTES:
            return None
        rows = iter(lines)
        if self._projected:
            fields = map(methodcaller("split", self._separator), lines)
            rows = map(self._separator.join, map(itemgetter(*self.header.indexes), fields))
        prefix = b"%d" + 3 * self._separator + b"%b\n"
        translated = b"".join(map(prefix.__mod__, zip(count(self._line), rows, strict=False)))
        self._line += len(lines)
        return translated

    def _translate_lines(self, lines: list[bytes]) -> Iterator[bytes]:
        """Row by row. A record that can't be one costs its first line only: what follows is read
        again, so that a lost quote doesn't take the rest of the file with it."""
        todo = deque(lines)
        while todo:
            line = todo.popleft().removesuffix(b"\r")
            first = self._line - len(self._pending)
            self._line += 1
            if not self._pending and not line.strip():
                continue
            is_open = self._ends_open(line, within_quotes=bool(self._pending))
            self._pending.append(line)
            self._pending_bytes += len(line)
            too_long = (
                self._pending_bytes > MAX_RECORD_BYTES or len(self._pending) > MAX_RECORD_LINES
            )
            if is_open and not too_long:
                continue
            try:
                if too_long:
                    raise _Fault(_TOO_LONG if len(self._pending) == 1 else _UNCLOSED)
                row = self._translate_record(b"\n".join(self._pending))
            except _Fault as fault:
                todo.extendleft(reversed(self._pending[1:]))
                self._line = first + 1
                row = self._rejected(fault)
            self._pending = []
            self._pending_bytes = 0
            yield b"%d" % first + row

    def _translate_pending(self) -> Iterator[bytes]:
        """What is left when the file ends within quotes."""
        while self._pending:
            first = self._line - len(self._pending)
            rest = self._pending[1:]
            self._pending = []
            self._pending_bytes = 0
            self._line = first + 1
            yield b"%d" % first + self._rejected(_Fault(_UNCLOSED))
            yield from self._translate_lines(rest)

    def _ends_open(self, line: bytes, *, within_quotes: bool) -> bool:
        """Whether a quoted value goes on in the next line."""
        position = 0
        while True:
            if within_quotes:
                closing = _UP_TO_CLOSING_QUOTE.match(line, position)
                if closing is None:
                    return True
                position = closing.end()
            elif position == 0 and line.startswith(b'"'):
                within_quotes, position = True, 1
                continue
            # Quotes within an unquoted value are part of it.
            separator = line.find(self._separator + b'"', position)
            if separator < 0:
                return False
            within_quotes, position = True, separator + 2

    def _translate_record(self, record: bytes) -> bytes:
        try:
            text, is_utf8 = record.decode(), True
        except UnicodeDecodeError:
            # Enough to find the columns; those that aren't kept may be in any encoding.
            text, is_utf8 = record.decode("latin-1"), False
        values = self._known_values(text)
        if not is_utf8:
            values = [
                self._decoded(*pair) for pair in zip(self.header.columns, values, strict=True)
            ]
        for column, value in zip(self.header.columns, values, strict=True):
            if control := _CONTROL.search(value):
                what = "NUL byte" if control[0] == "\0" else "control character"
                raise _Fault(f"contains a {what}", column)
        joined = self.header.separator.join(map(self._quoted, values))
        return 3 * self._separator + joined.encode() + b"\n"

    def _known_values(self, text: str) -> list[str]:
        separator = self.header.separator
        if '"' in text:
            try:
                [fields] = csv.reader([text], delimiter=separator, strict=True)
            except (csv.Error, ValueError):
                raise _Fault(_MALFORMED) from None
        else:
            fields = text.split(separator)
        if len(fields) != self.header.width:
            raise _Fault(f"has {len(fields)} columns instead of {self.header.width}")
        return [fields[index] for index in self.header.indexes]

    def _decoded(self, column: str, value: str) -> str:
        try:
            return value.encode("latin-1").decode()
        except UnicodeDecodeError:
            raise _Fault("isn't UTF-8", column) from None

    def _quoted(self, value: str) -> str:
        if '"' in value or "\n" in value or "\r" in value or self.header.separator in value:
            return '"' + value.replace('"', '""') + '"'
        return value

    def _rejected(self, fault: "_Fault") -> bytes:
        fields = ["", fault.column, fault.message, *[""] * len(self.header.columns)]
        return self.header.separator.join(fields).encode() + b"\n"


class _Fault(Exception):
    """Why a record can't be handed on. `column` is "" where no single one is to blame."""

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.column = column


def _without_mark(start: bytes) -> bytes:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[:4]:
        raise ClaimFileError("The file is UTF-16. Save it as CSV in UTF-8.")
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ClaimFileError("The file is a workbook or an archive. Save it as CSV in UTF-8.")
    return start.removeprefix(b"\xef\xbb\xbf")


class _CopySource:
    """The rows as a file for psycopg2. Keeps the reader's own error, which libpq would swallow."""

    def __init__(self, rows: Iterator[bytes]) -> None:
        self._rows = rows
        self.error: ClaimFileError | None = None

    def read(self, _size: int = -1, /) -> bytes:
        try:
            return next(self._rows, b"")
        except ClaimFileError as error:
            self.error = error
            raise


def copy_rows(header: Header, rows: Iterator[bytes]) -> None:
    """Copy rows of a ClaimFile into pg_temp.staging. Raises its ClaimFileError as it is."""
    source = _CopySource(rows)
    columns = ", ".join(("line", "fault_column", "fault", *header.columns))
    with connection.cursor() as cursor:
        try:
            cursor.copy_expert(
                f"COPY pg_temp.staging ({columns}) FROM STDIN"
                f" (FORMAT csv, DELIMITER '{header.separator}')",
                source,
            )
        except Exception:
            if source.error is not None:
                raise source.error from None
            raise


def load_claims(
    stream: BinaryIO,
    *,
    customer_id: int,
    filename: str,
    strict: bool = False,
    correct: bool = False,
    force: bool = False,
    source: str = "",
    on_read: Callable[[int], None] | None = None,
) -> functions.Upload:
    """Load a file of claims in one transaction; `ingest.merge_v2` says what the flags mean.

    Raises ClaimFileError when it can't be read as a whole; nothing is written then.
    """
    claim_file = ClaimFile(stream, on_read=on_read)
    header = claim_file.header
    with transaction.atomic():
        functions.ingest_create_staging()
        copy_rows(header, claim_file.rows())
        return functions.ingest_merge_v2(
            customer_id=customer_id,
            filename=filename,
            sha256=claim_file.sha256,
            size_bytes=claim_file.size_bytes,
            strict=strict,
            correct=correct,
            force=force,
            source=source,
            ignored_columns=list(header.ignored_columns),
            patient_columns=list(header.patient_columns),
        )
