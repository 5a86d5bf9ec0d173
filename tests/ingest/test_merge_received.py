"""`ingest.merge_received`: what `ingest.merge_v2` does, for an upload that waits here."""

from typing import Any

import pytest
from django.db import transaction

from core import functions
from core.functions import Upload
from core.ingest import ClaimFile, copy_rows
from core.uploads import StoredFile
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import counts, load_bytes, problems, row
from tests.ingest.receiving import as_file, receive, suspend_only, upload
from tests.portfolio import Portfolio
from tests.refusal import refused

MERGE = "SELECT * FROM ingest.merge_received(%s, %s, '{}', '{}')"
RECORDED = ("rows_total", "rows_inserted", "rows_updated", "rows_unchanged", "rows_stale")
FILE = as_file(row(claim_number="A"), row(claim_number="B", outcome="?"), row(claim_number="A"))


def merge(portfolio: Portfolio, upload_id: int) -> Upload:
    """Stage the upload's bytes and merge them, as the worker does."""
    claim_file = ClaimFile(StoredFile(customer_id=portfolio.customer_id, upload_id=upload_id))
    rows = list(claim_file.rows())
    with transaction.atomic():
        functions.ingest_create_staging()
        copy_rows(claim_file.header, iter(rows))
        return functions.ingest_merge_received(
            customer_id=portfolio.customer_id,
            upload_id=upload_id,
            ignored_columns=["note"],
            patient_columns=["Patient Name"],
        )


def claims(portfolio: Portfolio) -> list[dict[str, Any]]:
    own = {"id", "customer_id", "payer_id", "cpt_group_id", "upload_id", "updated_at", "created_at"}
    return [
        {key: value for key, value in claim.items() if key not in own}
        for claim in portfolio.rows("claim")
    ]


@pytest.mark.parametrize("flags", [{}, {"strict": True}, {"correct": True}])
def test_it_does_what_a_load_does(
    portfolio: Portfolio, owner: Database, worker: Database, flags: dict[str, bool]
) -> None:
    loaded = Portfolio(owner, worker)
    # A newer decision, which only a correction overrides.
    newer = as_file(row(claim_number="A", decided_date="2026-03-01", paid_amount="1"))
    for customer in (portfolio, loaded):
        load_bytes(customer, newer)

    result = merge(portfolio, receive(portfolio, FILE, **flags))

    expected = load_bytes(loaded, FILE, **flags)
    assert (result.status, result.error) == (expected.status, expected.error)
    assert counts(result) == counts(expected) if result.status == "completed" else True
    assert result.rows_total == expected.rows_total
    assert claims(portfolio) == claims(loaded)
    assert problems(portfolio) == problems(loaded)


def test_the_upload_that_was_there_is_the_one(portfolio: Portfolio) -> None:
    user_id = portfolio.user()
    upload_id = receive(portfolio, FILE)
    portfolio.owner.execute(
        "UPDATE upload SET uploaded_by_id = %s WHERE id = %s", user_id, upload_id
    )

    result = merge(portfolio, upload_id)

    assert (result.upload_id, result.status) == (upload_id, "completed")
    [_, ended] = portfolio.rows("upload")
    assert {name: ended[name] for name in RECORDED} == {
        name: getattr(result, name) for name in RECORDED
    }
    assert ended["uploaded_by_id"] == user_id
    assert ended["ignored_columns"] == ["note"]
    assert ended["patient_columns"] == ["Patient Name"]
    assert ended["finished_at"] >= ended["queued_at"]
    assert {claim["upload_id"] for claim in portfolio.rows("claim")} == {upload_id}
    assert {error["upload_id"] for error in portfolio.rows("upload_error")} == {upload_id}
    assert portfolio.rows("upload_chunk") == []


def test_a_failed_one_drops_its_bytes_too(portfolio: Portfolio) -> None:
    upload_id = receive(portfolio, FILE, strict=True)

    assert merge(portfolio, upload_id).status == "failed"
    assert portfolio.rows("upload_chunk") == []
    assert portfolio.rows("claim") == []


def test_detection_is_queued(portfolio: Portfolio) -> None:
    merge(portfolio, receive(portfolio, FILE))

    assert portfolio.owner.execute(
        "SELECT args ->> 'trigger' FROM procrastinate_jobs"
        " WHERE task_name = 'core.tasks.detect' AND args ->> 'customer_id' = %s",
        str(portfolio.customer_id),
    ) == [("upload",)]


def test_a_finished_one_is_left_alone(portfolio: Portfolio) -> None:
    upload_id = receive(portfolio, FILE)
    chunks = portfolio.rows("upload_chunk")
    first = merge(portfolio, upload_id)
    before = {table: portfolio.rows(table) for table in ("upload", "upload_error", "claim")}
    for chunk in chunks:
        # A worker that was away for a while has read them before they went.
        portfolio.owner.execute(
            "INSERT INTO upload_chunk (customer_id, upload_id, number, content)"
            " VALUES (%s, %s, 0, %s)",
            portfolio.customer_id,
            upload_id,
            chunk["content"],
        )

    assert merge(portfolio, upload_id) == first
    assert {table: portfolio.rows(table) for table in before} == before
    portfolio.owner.execute("DELETE FROM upload_chunk WHERE upload_id = %s", upload_id)


def test_a_file_that_was_loaded_before_is_repeated(portfolio: Portfolio) -> None:
    former = load_bytes(portfolio, FILE)
    upload_id = receive(portfolio, FILE)

    result = merge(portfolio, upload_id)

    assert (result.upload_id, result.status) == (upload_id, "repeated")
    assert f"upload {former.upload_id} was this file" in result.error
    assert result.rows_total == 0
    assert portfolio.rows("upload_chunk") == []


def test_a_forced_one_takes_the_former_ones_place(portfolio: Portfolio) -> None:
    former = load_bytes(portfolio, FILE)

    result = merge(portfolio, receive(portfolio, FILE, force=True))

    assert result.status == "completed"
    assert upload(portfolio, former.upload_id)["status"] == "superseded"


@pytest.fixture
def session(connect: Connect) -> Database:
    """A session of the worker's in a transaction."""
    database = Database(connect())
    database.connection.autocommit = False
    return database


def test_several_may_follow_each_other_in_a_transaction(
    portfolio: Portfolio, session: Database
) -> None:
    load_bytes(portfolio, FILE)
    for content in (FILE, b"1", b"2"):
        session.execute("SELECT ingest.create_staging()")
        session.execute(MERGE, portfolio.customer_id, receive(portfolio, content))

    session.execute("SELECT ingest.create_staging()")


def test_a_suspended_customer_is_refused(portfolio: Portfolio, session: Database) -> None:
    upload_id = receive(portfolio, FILE)
    suspend_only(portfolio)
    session.execute("SELECT ingest.create_staging()")
    with refused("PD005"):
        session.execute(MERGE, portfolio.customer_id, upload_id)


def test_an_unknown_upload_is_refused(portfolio: Portfolio, session: Database) -> None:
    session.execute("SELECT ingest.create_staging()")
    with refused("PD016"):
        session.execute(MERGE, portfolio.customer_id, 2**40)


def test_without_staged_rows_it_is_refused(portfolio: Portfolio, session: Database) -> None:
    with refused("PD020", "ingest.create_staging()"):
        session.execute(MERGE, portfolio.customer_id, receive(portfolio, FILE))


def test_another_isolation_level_is_refused(portfolio: Portfolio, session: Database) -> None:
    session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    session.execute("SELECT ingest.create_staging()")
    with refused("PD001"):
        session.execute(MERGE, portfolio.customer_id, 1)
