"""`ingest.fail_upload`: a received file can't be loaded."""

from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import load, row
from tests.ingest.receiving import announce, receive, suspend_only, upload
from tests.portfolio import Portfolio
from tests.refusal import refused

FAIL = "SELECT ingest.fail_upload(%s, %s, %s)"


def test_it_ends_with_the_reason_and_without_its_bytes(
    portfolio: Portfolio, worker: Database
) -> None:
    spared = receive(portfolio, b"spared")
    upload_id = receive(portfolio, b"failed")

    worker.execute(FAIL, portfolio.customer_id, upload_id, "The file is a workbook.")

    row = upload(portfolio, upload_id)
    assert (row["status"], row["error"]) == ("failed", "The file is a workbook.")
    assert row["finished_at"] >= row["queued_at"]
    assert {chunk["upload_id"] for chunk in portfolio.rows("upload_chunk")} == {spared}


def test_a_finished_one_is_left_alone(portfolio: Portfolio, worker: Database) -> None:
    completed = load(portfolio, row()).upload_id
    before = upload(portfolio, completed)
    failed = announce(portfolio, b"")
    worker.execute(FAIL, portfolio.customer_id, failed, "First.")

    for upload_id in (completed, failed):
        worker.execute(FAIL, portfolio.customer_id, upload_id, "Second.")

    assert upload(portfolio, completed) == before
    assert upload(portfolio, failed)["error"] == "First."


def test_a_suspended_customers_ends_too(portfolio: Portfolio, worker: Database) -> None:
    upload_id = receive(portfolio, b"content")
    suspend_only(portfolio)

    worker.execute(FAIL, portfolio.customer_id, upload_id, "Customer suspended.")

    assert upload(portfolio, upload_id)["error"] == "Customer suspended."


def test_an_unknown_one_is_refused(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    with refused("PD016"):
        worker.execute(FAIL, portfolio.customer_id, Portfolio(owner, worker).upload_id, "No.")
