"""`core.ingest.ClaimFile` on random files, and how much memory it takes."""

import csv
import io
import random
import tracemalloc

import pytest

from core.ingest import MAX_RECORD_BYTES, ClaimFile

NAMES = "claim_number,payer,cpt,submitted_date,decided_date,outcome"
REST = "99213,2026-01-02,2026-01-20,PAID"

# line, fault_column, fault, values
Row = tuple[int, str, str, list[str]]


def read(content: bytes, *, block_bytes: int = 1 << 16) -> list[Row]:
    """The rows as COPY would see them."""
    claim_file = ClaimFile(io.BytesIO(content), block_bytes=block_bytes)
    text = b"".join(claim_file.rows()).decode()
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=claim_file.header.separator, strict=True
    )
    found = [(int(row[0]), row[1], row[2], row[3:]) for row in rows]
    assert all(len(values) == 6 for *_, values in found)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_what_the_csv_module_writes_is_read_back(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    separator = rng.choice(",;\t")
    end = rng.choice(["\n", "\r\n"])
    alphabet = rng.choice(["abc", 'a"', "ab\n\r", "é中a", 'a"\n,;\t ', "a'\\"])
    rows = [
        ["".join(rng.choices(alphabet, k=rng.randrange(8))) for _ in range(6)]
        for _ in range(rng.randrange(1, 40))
    ]
    output = io.StringIO(newline="")
    writer = csv.writer(
        output,
        delimiter=separator,
        lineterminator=end,
        quoting=rng.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)),
    )
    writer.writerow(NAMES.split(","))
    # Python's writer leaves a lone carriage return bare when lines end otherwise.
    rows = [[value.replace("\r", "") for value in row] for row in rows]
    rows = [row for row in rows if "".join(row).strip()]
    writer.writerows(rows)
    content = output.getvalue().encode()
    found = read(content, block_bytes=rng.choice([1, 5, 50, 1 << 16]))
    assert [row[1:] for row in found] == [("", "", row) for row in rows]


@pytest.mark.parametrize("seed", range(60))
def test_no_bytes_break_the_reader(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    pieces = [
        b'"', b"\n", b",", b"\r\n", b"\r", b"\0", b"\xff", b'""', b"A,Aetna,", REST.encode(), b"x",
        b"\xc2\x85", b"\n" + f"B,Aetna,{REST}".encode() + b"\n", b"\xe4\xb8\xad",
    ]  # fmt: skip
    content = NAMES.encode() + b"\n" + b"".join(rng.choices(pieces, k=rng.randrange(200)))
    whole = read(content)
    assert read(content, block_bytes=rng.choice([1, 2, 3, 17])) == whole
    lines = [row[0] for row in whole]
    assert lines == sorted(set(lines))


def test_memory_does_not_grow_with_the_file() -> None:
    class Endless(io.RawIOBase):
        def __init__(self, blocks: int) -> None:
            self.blocks = blocks
            self.sent = False

        def read(self, size: int = -1, /) -> bytes:
            if not self.sent:
                self.sent = True
                return f"{NAMES},notes\n".encode()
            self.blocks -= 1
            return f'A,"Aet""na",{REST},x\n'.encode() * 500 if self.blocks >= 0 else b""

    def peak(blocks: int) -> int:
        tracemalloc.start()
        for _ in ClaimFile(Endless(blocks)).rows():
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(60) < 1.5 * peak(6)


def test_a_line_without_end_is_not_kept() -> None:
    class Stream:
        def __init__(self) -> None:
            self.chunks = iter([f"{NAMES}\nA,".encode(), *[b"x" * 100_000] * 200])

        def read(self, size: int = -1, /) -> bytes:
            return next(self.chunks, b"")

    tracemalloc.start()
    [row] = b"".join(ClaimFile(Stream()).rows()).splitlines()
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert b"is longer than 64 KiB" in row
    assert highest < 20 * MAX_RECORD_BYTES
