"""`core.ingest.ClaimFile`: from the bytes of a file to rows for COPY."""

import codecs
import csv
import gzip
import io
import random
from collections.abc import Callable
from hashlib import sha256

import pytest

from core.ingest import BLOCK_BYTES, MAX_RECORD_BYTES, MAX_RECORD_LINES, ClaimFile
from core.ingest_header import OPTIONAL, REQUIRED, ClaimFileError

HEADER = ",".join(REQUIRED)
A = "A1,Aetna,99213,2026-01-05,2026-01-20,PAID"
B = "B1,Cigna,99214,2026-01-06,2026-01-21,DENIED"
Row = tuple[str, ...]


def parse(content: bytes | str, *, block_bytes: int = BLOCK_BYTES) -> list[Row]:
    """The rows as COPY reads them: line, fault_column, fault, then the known columns."""
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    claim_file = ClaimFile(stream, block_bytes=block_bytes)
    copied = b"".join(claim_file.rows()).decode()
    separator = claim_file.header.separator
    return [
        tuple(row)
        for row in csv.reader(io.StringIO(copied, newline=""), delimiter=separator, strict=True)
    ]


def good(line: int, row: str = A) -> Row:
    return (str(line), "", "", *row.split(","))


def bad(line: int, fault: str, column: str = "") -> Row:
    return (str(line), column, fault, *[""] * len(REQUIRED))


def test_lines_are_numbered_as_an_editor_does() -> None:
    assert parse(f"{HEADER}\n{A}\n\n{B}\n") == [good(2), good(4, B)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_lines_end_in_either_way_and_the_last_needs_no_end(end: str, last: str) -> None:
    text = end.join((HEADER, A, B)) + (end if last else "")

    assert parse(text) == [good(2), good(3, B)]


def test_line_ends_may_be_mixed() -> None:
    assert parse(f"{HEADER}\r\n{A}\n{B}\r\n{A}\n") == [good(2), good(3, B), good(4)]


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(codecs.BOM_UTF8 + f"{HEADER}\n{A}\n".encode()) == [good(2)]


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_the_header_tells_the_separator(separator: str) -> None:
    text = f"{HEADER}\n{A}\n{B}\n".replace(",", separator)

    assert parse(text) == [good(2), good(3, B)]


def test_other_separators_are_part_of_a_value() -> None:
    text = f"{HEADER}\n{A}\n".replace(",", ";").replace("Aetna", "Aetna, Inc.\t(PPO)")

    assert parse(text)[0][4] == "Aetna, Inc.\t(PPO)"


@pytest.mark.parametrize(
    "header",
    [
        HEADER.upper(),
        HEADER.replace("_", " ").title(),
        HEADER.replace("_", "-"),
        HEADER.replace("_", ""),
        ",".join(f'"{name}"' for name in REQUIRED),
        ",".join(f" {name} " for name in REQUIRED),
    ],
)
def test_the_header_is_understood_however_it_is_written(header: str) -> None:
    assert parse(f"{header}\n{A}\n") == [good(2)]


def test_columns_may_be_in_any_order_and_unknown_ones_are_left_out() -> None:
    names = [*reversed(REQUIRED), "remark"]
    values = [*reversed(A.split(",")), "?"]
    stream = io.BytesIO(f"{','.join(names)}\n{','.join(values)}\n".encode())

    claim_file = ClaimFile(stream)

    assert claim_file.header.columns == tuple(reversed(REQUIRED))
    assert claim_file.header.ignored_columns == ("remark",)
    assert b"".join(claim_file.rows()) == f"2,,,{','.join(reversed(A.split(',')))}\n".encode()


@pytest.mark.parametrize("name", OPTIONAL)
def test_every_optional_column_is_known(name: str) -> None:
    claim_file = ClaimFile(io.BytesIO(f"{name},{HEADER}\n".encode()))

    assert claim_file.header.columns == (name, *REQUIRED)
    assert claim_file.header.ignored_columns == claim_file.header.patient_columns == ()


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_column_is_named(missing: str) -> None:
    header = ",".join(name for name in REQUIRED if name != missing)

    with pytest.raises(ClaimFileError, match=rf"must be a header; it lacks {missing}\. Needed are"):
        parse(f"{header}\n{A}\n")


def test_a_file_without_a_header_is_refused_without_quoting_its_first_row() -> None:
    with pytest.raises(ClaimFileError, match="The first line must be a header") as caught:
        parse(f"{A}\n{B}\n")

    assert "A1" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \r\n", codecs.BOM_UTF8])
def test_an_empty_file_has_no_header(content: bytes) -> None:
    with pytest.raises(ClaimFileError, match="The first line must be a header"):
        parse(content)


def test_a_repeated_column_is_refused() -> None:
    with pytest.raises(ClaimFileError, match=r"The header has cpt, payer more than once\."):
        parse(f"{HEADER},CPT,Payer\n")


def test_blank_lines_may_precede_the_header() -> None:
    assert parse(f"\n  \r\n{HEADER}\n{A}\n") == [good(4)]


def test_a_first_line_without_an_end_in_sight_is_no_header() -> None:
    with pytest.raises(ClaimFileError, match="longer than 64 KiB"):
        parse(b"x" * (3 * MAX_RECORD_BYTES), block_bytes=MAX_RECORD_BYTES)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(encoding: str) -> None:
    with pytest.raises(ClaimFileError, match="The file is UTF-16"):
        parse(f"{HEADER}\n{A}\n".encode(encoding))


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_workbook_is_named(start: bytes) -> None:
    with pytest.raises(ClaimFileError, match="a workbook or an archive"):
        parse(start + bytes(1000))


def test_a_header_in_another_encoding_is_refused() -> None:
    with pytest.raises(ClaimFileError, match="The header isn't UTF-8"):
        parse(f"{HEADER},größe\n".encode("latin-1"))


def test_lines_that_end_in_a_carriage_return_alone_are_refused() -> None:
    with pytest.raises(ClaimFileError, match="carriage return alone"):
        parse(f"{HEADER}\r{A}\r")


# gzip


def test_gzip_is_read_and_the_hash_is_that_of_the_file_itself() -> None:
    content = gzip.compress(f"{HEADER}\n{A}\n".encode()) + gzip.compress(f"{B}\n".encode())
    read: list[int] = []
    claim_file = ClaimFile(io.BytesIO(content), on_read=read.append)

    rows = b"".join(claim_file.rows())

    assert rows == f"2,,,{A}\n3,,,{B}\n".encode()
    assert claim_file.sha256 == sha256(content).hexdigest()
    assert claim_file.size_bytes == sum(read) == len(content)


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_the_hash_is_that_of_the_whole_file(block_bytes: int) -> None:
    content = f"{HEADER}\n{A}\n{B}\n".encode()
    claim_file = ClaimFile(io.BytesIO(content), block_bytes=block_bytes)
    for _ in claim_file.rows():
        pass

    assert claim_file.sha256 == sha256(content).hexdigest()
    assert claim_file.size_bytes == len(content)


COMPRESSED = gzip.compress("\n".join([HEADER, *[A] * 50, ""]).encode(), mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        COMPRESSED[:-1],
        COMPRESSED[:-8],
        COMPRESSED[: len(COMPRESSED) // 2],
        COMPRESSED[:12],
        COMPRESSED[:3],
        COMPRESSED[:-8] + bytes(8),
        COMPRESSED[:40] + b"\xff\xff\xff" + COMPRESSED[43:],
        COMPRESSED + b"garbage",
    ],
)
def test_a_corrupt_gzip_file_is_refused(content: bytes) -> None:
    with pytest.raises(ClaimFileError, match="The gzip file is corrupt or cut off"):
        parse(content)


# Quotes


def test_a_quoted_value_may_hold_everything() -> None:
    row = 'A1,"Aetna ""Gold"", Inc.\r\nDept. 2",99213,2026-01-05,2026-01-20,PAID'

    assert parse(f"{HEADER}\n{row}\n{B}\n") == [
        ("2", "", "", "A1", 'Aetna "Gold", Inc.\nDept. 2', *A.split(",")[2:]),
        good(4, B),
    ]


@pytest.mark.parametrize("value", ["\\.", "a\n\\.\nb", "\\", "\\N", "'", '"\\.'])
def test_a_value_that_means_something_to_copy_is_a_value(value: str) -> None:
    quoted = '"' + value.replace('"', '""') + '"'

    assert parse(f"{HEADER}\n{A.replace('Aetna', quoted)}\n")[0][4] == value


def test_quotes_within_an_unquoted_value_are_part_of_it() -> None:
    # Not CSV, but some systems write it; read as the value that it looks like.
    assert parse(f"{HEADER}\n{A.replace('Aetna', 'The 6' + chr(34) + ' Clinic')}\n") == [
        good(2, A.replace("Aetna", 'The 6" Clinic'))
    ]


def test_text_after_a_closing_quote_costs_one_row() -> None:
    [first, second] = parse(
        f"{HEADER}\n{A.replace('Aetna', chr(34) + 'Aet' + chr(34) + 'na')}\n{B}\n"
    )

    assert first == bad(2, "has quotes that don't enclose a whole value")
    assert second == good(3, B)


@pytest.mark.parametrize("after", [1, MAX_RECORD_LINES + 50])
def test_a_quote_that_is_never_closed_costs_its_own_line_only(after: int) -> None:
    lines = [HEADER, A, A.replace("Aetna", '"Aetna'), *[B] * after, ""]

    rows = parse("\n".join(lines))

    assert rows[:2] == [good(2), bad(3, "has a quote that isn't closed")]
    assert rows[2:] == [good(4 + n, B) for n in range(after)]


def test_many_open_quotes_cost_their_own_lines_only() -> None:
    broken = A.replace("Aetna", '"Aetna')
    lines = [HEADER, broken, *[B] * 150, broken, *[B] * 150, ""]

    rows = parse("\n".join(lines), block_bytes=512)

    faults = [(row[0], row[2]) for row in rows if row[2]]
    # The second quote closes the first one as far as anybody can tell; only then it is too long.
    assert [line for line, _ in faults] == ["2", "153"]
    assert len(rows) == 302


# Rows that can't be


@pytest.mark.parametrize(
    ("row", "fault", "column"),
    [
        ("A1,Aetna,99213", "has 3 columns instead of 6", ""),
        (f"{A},", "has 7 columns instead of 6", ""),
        ("A1", "has 1 columns instead of 6", ""),
        (A.replace("Aetna", "Aet\0na"), "contains a NUL byte", "payer"),
        (A.replace("A1", "A\x0b1"), "contains a control character", "claim_number"),
        (A.replace("A1", "A\x7f1"), "contains a control character", "claim_number"),
        (A.replace("A1", "A\x851"), "contains a control character", "claim_number"),
        (A.replace("Aetna", "x" * 1_000_000), "is longer than 64 KiB", ""),
        (A.replace("Aetna", f'"{"x" * 1_000_000}"'), "is longer than 64 KiB", ""),
    ],
)
@pytest.mark.parametrize("block_bytes", [1000, 1 << 20])
def test_a_row_that_cannot_be_read_is_handed_on_as_its_fault(
    row: str, fault: str, column: str, block_bytes: int
) -> None:
    rows = parse(f"{HEADER}\n{A}\n{row}\n{B}\n", block_bytes=block_bytes)

    assert rows == [good(2), bad(3, fault, column), good(4, B)]


def test_another_encoding_is_the_fault_of_its_column() -> None:
    content = f"{HEADER}\n{A}\n".encode() + A.replace("Aetna", "Ätna").encode("latin-1") + b"\n"

    assert parse(content) == [good(2), bad(3, "isn't UTF-8", "payer")]


def test_columns_that_are_left_out_may_be_in_any_encoding() -> None:
    content = f"note,{HEADER}\n".encode() + "größe,".encode("latin-1") + f"{A}\n".encode()

    assert parse(content) == [good(2)]


def test_umlauts_are_kept() -> None:
    assert parse(f"{HEADER}\n{A.replace('Aetna', 'Ätna 東京 🏥')}\n")[0][4] == "Ätna 東京 🏥"


def test_a_long_row_of_many_blocks_is_one_fault() -> None:
    row = A.replace("Aetna", "x" * 500_000)

    assert parse(f"{HEADER}\n{row}\n{B}\n", block_bytes=4096) == [
        bad(2, "is longer than 64 KiB"),
        good(3, B),
    ]


# Where a block ends must not matter


def messy_file(rng: random.Random) -> str:
    """Rows of all kinds: quoted, broken over lines, empty, faulty."""
    makers: tuple[Callable[[int], str], ...] = (
        lambda n: A.replace("A1", f"A{n}"),
        lambda n: A.replace("Aetna", f'"Aetna, no. {n}"'),
        lambda n: A.replace("Aetna", f'"two\nlines ""{n}"""'),
        lambda n: A.replace("Aetna", f'"two\r\nlines {n}"') + "\r",
        lambda n: "",
        lambda n: "  ",
        lambda n: f"{n},too,few",
        lambda n: A.replace("Aetna", f"Ä{n} 東京"),
        lambda n: A.replace("Aetna", f"NUL\0{n}"),
        lambda n: A.replace("Aetna", f'"no{n}"pe'),
        lambda n: A + "\r",
        lambda n: A.replace("Aetna", f'"open {n}'),
    )
    weights = (8, *[2] * (len(makers) - 2), 0.3)
    chosen = rng.choices(makers, weights, k=rng.randrange(1, 40))
    lines = [HEADER, *(make(n) for n, make in enumerate(chosen))]
    return "\n".join(lines) + rng.choice(("", "\n"))


@pytest.mark.parametrize("seed", range(30))
def test_rows_are_the_same_wherever_blocks_end(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    content = messy_file(rng).encode()
    expected = parse(content)

    for block_bytes in (1, 2, 3, 5, 17, *(rng.randrange(6, len(content)) for _ in range(20))):
        assert parse(content, block_bytes=block_bytes) == expected, block_bytes
        assert parse(gzip.compress(content), block_bytes=block_bytes) == expected, block_bytes


def test_rows_are_the_same_at_every_block_size() -> None:
    content = (
        f"{HEADER}\r\n{A.replace('Aetna', chr(34) + 'a' + chr(10) + 'Ä' + chr(34))}\r\n{B}\r\n"
    )

    rows = [parse(content, block_bytes=size) for size in range(1, len(content.encode()) + 2)]

    assert all(row == rows[0] for row in rows)
    assert rows[0][1] == good(4, B)
