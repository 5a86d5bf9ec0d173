"""Several real processes load files of one customer at the same time."""

import random
from pathlib import Path

import pytest

from tests.acceptance.together import DatabaseUrl
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import HEADER, row
from tests.ingest.processes import Process, ended, start_ingest, wait_for_waiters
from tests.portfolio import Portfolio


@pytest.fixture
def holder(connect: Connect) -> Database:
    """A session that can hold a customer's lock until all have come to wait for it."""
    return Database(connect("claimdrift_migrator"))


def hold(holder: Database, portfolio: Portfolio) -> None:
    holder.execute("BEGIN")
    holder.execute("SELECT ingest.lock_customer(%s)", portfolio.customer_id)


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path


def release(holder: Database, *processes: Process) -> list[str]:
    """Let all go at once; what they printed, all having succeeded."""
    with ended(*processes):
        wait_for_waiters(holder, len(processes), *processes)
        holder.execute("COMMIT")
        outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return [stdout.decode() for stdout, _ in outputs]


def test_the_same_file_is_loaded_once(
    portfolio: Portfolio, database_url: DatabaseUrl, holder: Database, tmp_path: Path
) -> None:
    rows = [row(claim_number=f"C{n}", payer=f"Payer {n % 7}") for n in range(300)]
    file = write(tmp_path / "claims.csv", rows)
    hold(holder, portfolio)

    outputs = release(holder, *(start_ingest(file, portfolio, database_url) for _ in range(3)))

    assert sum("so nothing was done" in output for output in outputs) == 2
    [_, upload] = portfolio.rows("upload")
    assert (upload["status"], upload["rows_inserted"]) == ("completed", 300)
    assert len(portfolio.rows("claim")) == 300
    assert len(portfolio.rows("payer")) == 7


def test_overlapping_files_in_opposite_orders_never_deadlock(
    portfolio: Portfolio, database_url: DatabaseUrl, holder: Database, tmp_path: Path
) -> None:
    rng = random.Random(1)  # noqa: S311 (repeatable)
    files = []
    for number in range(4):
        first = 100 * number
        rows = [
            row(
                claim_number=f"C{n}",
                payer=f"Payer {(n + number) % 9}",
                cpt=f"9921{n % 5}",
                decided_date=f"2026-02-{10 + number}",
            )
            for n in range(first, first + 300)
        ]
        rng.shuffle(rows)
        files.append(write(tmp_path / f"{number}.csv", rows))
    hold(holder, portfolio)

    release(holder, *(start_ingest(file, portfolio, database_url) for file in files))

    claims = {claim["claim_number"]: claim for claim in portfolio.rows("claim")}
    assert sorted(claims, key=lambda key: int(key[1:])) == [f"C{n}" for n in range(600)]
    # Whatever the order was: the newest decision is the last, and the first to come the first.
    for n in range(600):
        assert claims[f"C{n}"]["decided_date"].day == 10 + min(3, n // 100)
    uploads = portfolio.rows("upload")[1:]
    assert [upload["status"] for upload in uploads] == ["completed"] * 4
    assert sum(upload["rows_inserted"] for upload in uploads) == 600
    assert all(
        sum(upload[f"rows_{name}"] for name in ("inserted", "updated", "unchanged", "stale")) == 300
        for upload in uploads
    )


def test_a_load_waits_for_a_payer_that_somebody_is_just_adding(
    portfolio: Portfolio, database_url: DatabaseUrl, holder: Database, tmp_path: Path
) -> None:
    file = write(tmp_path / "claims.csv", [row()])
    holder.execute("BEGIN")
    [[payer_id]] = holder.execute(
        "INSERT INTO payer (customer_id, name) VALUES (%s, 'AETNA') RETURNING id",
        portfolio.customer_id,
    )

    release(holder, start_ingest(file, portfolio, database_url))

    [claim] = portfolio.rows("claim")
    assert claim["payer_id"] == payer_id


def test_different_customers_do_not_wait_for_each_other(
    portfolio: Portfolio,
    owner: Database,
    worker: Database,
    database_url: DatabaseUrl,
    holder: Database,
    tmp_path: Path,
) -> None:
    other = Portfolio(owner, worker)
    file = write(tmp_path / "claims.csv", [row()])
    hold(holder, portfolio)

    waiting = start_ingest(file, portfolio, database_url)
    with ended(waiting):
        wait_for_waiters(holder, 1, waiting)
        process = start_ingest(file, other, database_url)
        with ended(process):
            process.communicate()
        assert process.returncode == 0
        assert len(other.rows("claim")) == 1
        assert portfolio.rows("claim") == []
        release(holder, waiting)

    assert len(portfolio.rows("claim")) == 1


def test_detection_does_not_wait_for_a_load(
    portfolio: Portfolio, database_url: DatabaseUrl, holder: Database, tmp_path: Path
) -> None:
    hold(holder, portfolio)
    file = write(tmp_path / "claims.csv", [row()])
    process = start_ingest(file, portfolio, database_url)
    with ended(process):
        wait_for_waiters(holder, 1, process)
        portfolio.worker.execute("SELECT drift.detect(p_customer_id => %s)", portfolio.customer_id)
        release(holder, process)
