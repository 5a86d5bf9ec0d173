"""The job `core.tasks.load_upload`: a received file becomes claims, exactly once."""

import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from core import attempts, functions, tasks, uploads
from core.attempts import JobFailed
from core.ingest import copy_rows
from core.ingest_header import Header
from core.uploads import StoredFile
from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.database import Database
from tests.ingest.loading import HEADER, row
from tests.ingest.receiving import announce, as_file, receive, suspend_only, upload
from tests.portfolio import Portfolio

ROWS = [row(claim_number=f"C{n}", payer=f"Payer {n % 5}") for n in range(50)]
FILE = as_file(*ROWS, row(outcome="?"))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSES", (0.0, 0.0))


def run(portfolio: Portfolio, upload_id: int) -> dict[str, Any]:
    """Run the job; the upload's row afterwards."""
    tasks.load_upload(customer_id=portfolio.customer_id, upload_id=upload_id)
    return upload(portfolio, upload_id)


def read(portfolio: Portfolio, upload_id: int, size: int) -> list[bytes]:
    """What a StoredFile returns, `size` bytes at a time."""
    file = StoredFile(customer_id=portfolio.customer_id, upload_id=upload_id)
    pieces = []
    while piece := file.read(size):
        pieces.append(piece)
    return pieces


def noting(executed: list[str]) -> Callable[..., Any]:
    """A wrapper for `execute_wrapper` that notes each statement."""

    def wrapper(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        executed.append(sql)
        return execute(sql, *rest)

    return wrapper


# Reading


@pytest.mark.parametrize("size", [1, 6, 7, 8, 100])
def test_chunks_read_like_the_file_they_were(portfolio: Portfolio, size: int) -> None:
    content = bytes(range(30))

    pieces = read(portfolio, receive(portfolio, content, chunk_bytes=7), size)

    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= size


def test_an_empty_chunk_is_not_the_end(portfolio: Portfolio) -> None:
    upload_id = announce(portfolio, b"ab")
    for number, content in enumerate((b"a", b"", b"b")):
        functions.ingest_add_chunk(
            customer_id=portfolio.customer_id, upload_id=upload_id, number=number, content=content
        )

    assert read(portfolio, upload_id, 10) == [b"a", b"b"]


def test_one_chunk_is_fetched_at_a_time(portfolio: Portfolio) -> None:
    upload_id = receive(portfolio, b"x" * 100, chunk_bytes=10)
    fetched: list[str] = []

    with connection.execute_wrapper(noting(fetched)):
        file = StoredFile(customer_id=portfolio.customer_id, upload_id=upload_id)
        assert file.readable()
        for number in range(1, 11):
            file.read(10)
            assert len(fetched) == number


# Loading


@pytest.mark.parametrize("chunk_bytes", [7, 1000, 1 << 20])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_is_loaded(portfolio: Portfolio, chunk_bytes: int, compressed: bool) -> None:
    content = gzip.compress(FILE) if compressed else FILE

    ended = run(portfolio, receive(portfolio, content, chunk_bytes=chunk_bytes))

    assert (ended["status"], ended["error"]) == ("completed", "")
    assert (ended["rows_inserted"], ended["rows_rejected"]) == (50, 1)
    assert len(portfolio.rows("claim")) == 50
    assert portfolio.rows("upload_chunk") == []


def test_a_file_of_several_batches_keeps_its_lines(
    portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As many batches as the reader makes blocks.
    monkeypatch.setattr(uploads, "BATCH_BYTES", 1)
    copies: list[int] = []

    def copy(header: Header, rows: Iterator[bytes]) -> None:
        copies.append(1)
        copy_rows(header, rows)

    monkeypatch.setattr(uploads, "copy_rows", copy)
    rows = [row(claim_number=f"C{n}", outcome="?" if n == 2999 else "PAID") for n in range(3000)]

    ended = run(portfolio, receive(portfolio, as_file(*rows)))

    assert len(copies) > 2
    assert (ended["rows_inserted"], ended["rows_rejected"]) == (2999, 1)
    [error] = portfolio.rows("upload_error")
    assert error["line"] == 3001


def test_memory_does_not_grow_with_the_file(
    portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "BATCH_BYTES", 1)
    peaks = []
    for rows in (5_000, 30_000):
        content = as_file(*(row(claim_number=f"{rows}-{n}") for n in range(rows)))
        upload_id = receive(portfolio, gzip.compress(content), chunk_bytes=1 << 14)
        tracemalloc.start()
        try:
            assert run(portfolio, upload_id)["rows_inserted"] == rows
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()

    # The larger file has 1.7 MB more.
    assert peaks[1] - peaks[0] < 200_000, peaks


def test_columns_that_were_left_out_are_named(portfolio: Portfolio) -> None:
    header = f"{HEADER},note,Patient Name"

    ended = run(portfolio, receive(portfolio, as_file(f"{row()},x,Jane", header=header)))

    assert ended["ignored_columns"] == ["note"]
    assert ended["patient_columns"] == ["Patient Name"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "must be a header"),
        (b"PK\x03\x04", "workbook"),
        (b"one,two\n1,2\n", "must be a header"),
        (gzip.compress(FILE)[:-20], "corrupt or cut off"),
        (FILE.replace(b"claim_number", b"Jane Doe", 1), "it lacks claim_number"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_upload_and_not_the_job(
    portfolio: Portfolio, content: bytes, error: str
) -> None:
    ended = run(portfolio, receive(portfolio, content))

    assert ended["status"] == "failed"
    assert error in ended["error"]
    assert "Jane" not in ended["error"]
    assert ended["finished_at"] is not None
    assert portfolio.rows("upload_chunk") == []
    assert portfolio.rows("claim") == []


def test_bytes_that_are_not_the_announced_ones_are_not_loaded(portfolio: Portfolio) -> None:
    ended = run(portfolio, receive(portfolio, FILE, sha256="0" * 64))

    assert (ended["status"], "SHA-256" in ended["error"]) == ("failed", True)
    assert portfolio.rows("claim") == []


def test_a_file_that_was_loaded_before_is_not_even_read(portfolio: Portfolio) -> None:
    run(portfolio, receive(portfolio, FILE))
    upload_id = receive(portfolio, FILE)
    executed: list[str] = []

    with connection.execute_wrapper(noting(executed)):
        ended = run(portfolio, upload_id)

    assert ended["status"] == "repeated"
    assert not [sql for sql in executed if "create_staging" in sql or "upload_chunk" in sql]


# Twice, refused, failed


def test_a_job_that_runs_twice_has_one_effect(portfolio: Portfolio) -> None:
    upload_id = receive(portfolio, FILE)
    first = run(portfolio, upload_id)
    before = {table: portfolio.rows(table) for table in ("upload", "upload_error", "claim")}

    assert run(portfolio, upload_id) == first
    assert {table: portfolio.rows(table) for table in before} == before


def test_a_suspended_customers_file_fails_without_being_loaded(portfolio: Portfolio) -> None:
    upload_id = receive(portfolio, FILE)
    suspend_only(portfolio)

    with pytest.raises(JobFailed, match="Customer suspended"):
        run(portfolio, upload_id)

    ended = upload(portfolio, upload_id)
    assert (ended["status"], ended["error"]) == ("failed", "Customer suspended (PD005).")
    assert portfolio.rows("claim") == []
    assert portfolio.rows("upload_chunk") == []


def test_an_error_of_the_database_fails_both_and_quotes_nothing(
    portfolio: Portfolio, owner: Database
) -> None:
    upload_id = receive(portfolio, as_file(row(claim_number="JANE-DOE")))
    owner.execute(
        "ALTER TABLE claim ADD CONSTRAINT nobody CHECK (claim_number <> 'JANE-DOE') NOT VALID"
    )
    try:
        with pytest.raises(JobFailed) as failed:
            run(portfolio, upload_id)
    finally:
        owner.execute("ALTER TABLE claim DROP CONSTRAINT nobody")

    error = "The database refused it: check violation (23514)."
    # What the worker logs is this, with whatever led to it.
    assert str(failed.value) == error
    assert failed.value.__cause__ is failed.value.__context__ is None
    ended = upload(portfolio, upload_id)
    assert (ended["status"], ended["error"]) == ("failed", error)


def test_an_error_that_passes_is_tried_again(
    portfolio: Portfolio, owner: Database, worker: Database, database_url: DatabaseUrl
) -> None:
    upload_id = receive(portfolio, FILE)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    owner.execute("BEGIN")
    owner.execute("SELECT ingest.lock_customer(%s)", portfolio.customer_id)
    tries: list[str] = []

    def release(execute: Any, sql: str, *rest: Any) -> Any:
        if "take_upload" in sql:
            tries.append(sql)
            if len(tries) == 2:
                owner.execute("COMMIT")
        return execute(sql, *rest)

    try:
        with connection.execute_wrapper(release):
            ended = run(portfolio, upload_id)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")

    assert len(tries) == 2
    assert ended["status"] == "completed"


def test_a_lost_connection_is_opened_anew(portfolio: Portfolio, connect: Any) -> None:
    superuser = Database(connect("postgres"))
    upload_id = receive(portfolio, FILE)
    killed: list[int] = []

    def kill(execute: Any, sql: str, *rest: Any) -> Any:
        if "merge_received" in sql and not killed:
            killed.append(connection.connection.info.backend_pid)
            assert superuser.value("SELECT pg_terminate_backend(%s, 30000)", killed[0])
        return execute(sql, *rest)

    with connection.execute_wrapper(kill):
        ended = run(portfolio, upload_id)

    assert (len(killed), ended["status"]) == (1, "completed")


def test_of_two_workers_one_loads_it(
    portfolio: Portfolio, worker: Database, database_url: DatabaseUrl
) -> None:
    upload_id = receive(portfolio, FILE)
    take = "SELECT ingest.take_upload(%s, %s)"
    with open_connections(database_url, 1) as [other]:
        with transaction.atomic():
            functions.ingest_take_upload(customer_id=portfolio.customer_id, upload_id=upload_id)
            waiting = Background(other, lambda d: d.value(take, portfolio.customer_id, upload_id))
            waiting.wait_until_blocked(worker)
            tasks.load_upload(customer_id=portfolio.customer_id, upload_id=upload_id)
            assert waiting.is_running()
        assert waiting.join() is False

    assert upload(portfolio, upload_id)["status"] == "completed"
    assert len(portfolio.rows("claim")) == 50
