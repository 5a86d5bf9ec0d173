"""manage.py ingest: exit codes, the report, and what it refuses."""

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.management.commands.ingest import SHOWN_PROBLEMS
from tests.acceptance.together import DatabaseUrl
from tests.conftest import run_manage
from tests.database import Database
from tests.ingest.loading import HEADER, row
from tests.ingest.processes import start_ingest
from tests.portfolio import Portfolio

Ingest = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "claims.csv"


@pytest.fixture
def ingest(portfolio: Portfolio, database_url: DatabaseUrl, file: Path) -> Ingest:
    """Run `manage.py ingest` as the worker's login with a file of these rows."""

    def ingest(*rows: str, flags: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        if rows:
            file.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
        return run_manage(
            "ingest",
            str(file),
            "--customer",
            portfolio.slug,
            *flags,
            database_url=database_url("claimdrift_worker"),
        )

    return ingest


def last_upload(portfolio: Portfolio) -> int:
    upload_id: int = portfolio.rows("upload")[-1]["id"]
    return upload_id


def test_it_reports_what_became_of_the_rows(ingest: Ingest, portfolio: Portfolio) -> None:
    result = ingest(*(row(claim_number=f"C{n}") for n in range(1200)), row(outcome="?"))

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"Upload {last_upload(portfolio)}: 1,201 rows\n"
        "  inserted         1,200\n"
        "  updated              0\n"
        "  unchanged            0\n"
        "  stale                0\n"
        "  rejected             1\n"
        "  line 1202: outcome isn't PAID, DENIED or PENDING\n"
    )
    assert len(portfolio.rows("claim")) == 1200
    assert portfolio.rows("upload")[-1]["filename"] == "claims.csv"


def test_it_shows_the_first_problems_and_counts_the_others(ingest: Ingest) -> None:
    result = ingest(row(), *["too,few"] * (SHOWN_PROBLEMS + 2))

    lines = result.stdout.splitlines()
    assert result.returncode == 0
    assert lines[6] == "  line 3: has 2 columns instead of 12"
    assert lines[-1] == "  ... and 2 more, in upload_error"
    assert len(lines) == 6 + SHOWN_PROBLEMS + 1


def test_a_repeated_file_writes_nothing_and_succeeds(ingest: Ingest, portfolio: Portfolio) -> None:
    ingest(row())
    before = {table: portfolio.rows(table) for table in ("upload", "claim", "upload_error")}

    result = ingest()

    assert (result.returncode, result.stderr) == (0, "")
    assert f"Upload {last_upload(portfolio)} was this file" in result.stdout
    assert "--force loads it again" in result.stdout
    assert {table: portfolio.rows(table) for table in before} == before


def test_force_loads_a_file_again(ingest: Ingest) -> None:
    ingest(row())

    result = ingest(flags=("--force",))

    assert result.returncode == 0
    assert "  unchanged            1\n" in result.stdout


def test_a_file_may_be_of_a_billing_system(ingest: Ingest, portfolio: Portfolio) -> None:
    assert ingest(row(), flags=("--source", "athena")).returncode == 0
    refused = ingest(flags=("--source", "x" * 65))

    assert [claim["source"] for claim in portfolio.rows("claim")] == ["athena"]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "at most 64 characters" in refused.stderr


def test_correct_lets_older_rows_win(ingest: Ingest, portfolio: Portfolio) -> None:
    ingest(row())

    result = ingest(row(outcome="DENIED", decided_date="2026-01-08"), flags=("--correct",))

    assert result.returncode == 0
    [claim] = portfolio.rows("claim")
    assert (claim["outcome"], claim["first_outcome"]) == ("DENIED", "DENIED")


def test_strict_fails_on_a_bad_row_and_says_which(ingest: Ingest, portfolio: Portfolio) -> None:
    result = ingest(row(), row(outcome="?"), flags=("--strict",))

    assert result.returncode == 1
    assert "  line 3: outcome isn't PAID, DENIED or PENDING\n" in result.stdout
    assert result.stderr == (
        "CommandError: Nothing was loaded: rows were rejected and the load is strict.\n"
    )
    assert portfolio.rows("claim") == []
    assert portfolio.rows("upload")[-1]["status"] == "failed"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["?"], "Nothing was loaded: every row was rejected."),
        ([""], "Nothing was loaded: the file has no rows."),
    ],
)
def test_it_fails_when_nothing_was_loaded(ingest: Ingest, rows: list[str], message: str) -> None:
    result = ingest(*rows)

    assert result.returncode == 1
    assert result.stderr == f"CommandError: {message}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (row().encode(), "The first line must be a header; it lacks claim_number, payer, cpt,"),
        (b"", "The first line must be a header"),
        (HEADER.encode("utf-16"), "The file is UTF-16. Save it as CSV in UTF-8."),
        (
            gzip.compress(f"{HEADER}\n{row()}\n".encode() * 100, mtime=0)[:-9],
            "The gzip file is corrupt or cut off.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    ingest: Ingest, portfolio: Portfolio, file: Path, content: bytes, message: str
) -> None:
    file.write_bytes(content)
    before = len(portfolio.rows("upload"))

    result = ingest()

    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.endswith("Nothing was loaded.\n")
    assert len(result.stderr.splitlines()) == 1
    assert (len(portfolio.rows("upload")), portfolio.rows("claim")) == (before, [])


def test_a_file_that_is_not_there_is_named(ingest: Ingest, file: Path) -> None:
    result = ingest()

    assert result.returncode == 1
    assert result.stderr == f"CommandError: {file} can't be read: No such file or directory.\n"


def test_an_unknown_customer_is_refused_and_those_that_exist_are_named(
    portfolio: Portfolio, database_url: DatabaseUrl, file: Path, worker: Database
) -> None:
    file.write_text(f"{HEADER}\n{row()}\n", encoding="utf-8")

    result = run_manage(
        "ingest",
        str(file),
        "--customer",
        "nobody",
        database_url=database_url("claimdrift_worker"),
    )

    assert result.returncode == 1
    assert result.stderr.startswith("CommandError: There is no customer nobody. There are: ")
    slugs = [slug for [slug] in worker.execute("SELECT slug FROM customer ORDER BY slug LIMIT 20")]
    assert ", ".join(slugs) in result.stderr


def test_a_suspended_customer_is_refused(
    ingest: Ingest, portfolio: Portfolio, worker: Database
) -> None:
    worker.execute("UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id)

    result = ingest(row())

    assert result.returncode == 1
    assert result.stderr.startswith("CommandError: Customer suspended.")
    assert result.stderr.endswith("Nothing was loaded.\n")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_dash_reads_standard_input(
    portfolio: Portfolio, database_url: DatabaseUrl, compressed: bool
) -> None:
    content = f"{HEADER}\n{row()}\n".encode()
    process = start_ingest("-", portfolio, database_url)

    stdout, stderr = process.communicate(gzip.compress(content) if compressed else content)

    assert (process.returncode, stderr) == (0, b"")
    assert b"  inserted             1\n" in stdout
    assert portfolio.rows("upload")[-1]["filename"] == "stdin"


def test_there_is_no_progress_bar_without_a_terminal(ingest: Ingest) -> None:
    assert ingest(row()).stderr == ""


def test_a_customer_is_required(database_url: DatabaseUrl) -> None:
    result = run_manage("ingest", "x.csv", database_url=database_url("claimdrift_worker"))

    assert result.returncode != 0
    assert "--customer" in result.stderr
