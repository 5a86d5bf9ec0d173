"""`ingest.take_upload`: one load of an upload at a time, and none once it is finished."""

import pytest

from core import functions
from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import load_bytes, row
from tests.ingest.receiving import as_file, receive, suspend_only, upload
from tests.portfolio import Portfolio
from tests.refusal import refused

TAKE = "SELECT ingest.take_upload(%s, %s)"
FAIL = "SELECT ingest.fail_upload(%s, %s, 'Enough.')"
FILE = as_file(row())


def test_a_received_one_is_taken(portfolio: Portfolio, worker: Database) -> None:
    upload_id = receive(portfolio, FILE)

    assert worker.value(TAKE, portfolio.customer_id, upload_id) is True
    assert upload(portfolio, upload_id)["status"] == "received"


def test_a_finished_one_is_not(portfolio: Portfolio, worker: Database) -> None:
    upload_id = receive(portfolio, FILE)
    worker.execute(FAIL, portfolio.customer_id, upload_id)

    assert worker.value(TAKE, portfolio.customer_id, upload_id) is False


def test_a_file_that_was_loaded_before_ends_as_repeated(
    portfolio: Portfolio, worker: Database
) -> None:
    former = load_bytes(portfolio, FILE)
    upload_id = receive(portfolio, FILE)

    assert worker.value(TAKE, portfolio.customer_id, upload_id) is False

    ended = upload(portfolio, upload_id)
    assert ended["status"] == "repeated"
    assert ended["error"].startswith(f"upload {former.upload_id} was this file: it was loaded on ")
    assert ended["finished_at"] is not None
    assert portfolio.rows("upload_chunk") == []


def test_a_forced_one_is_taken_again(portfolio: Portfolio, worker: Database) -> None:
    load_bytes(portfolio, FILE)

    upload_id = receive(portfolio, FILE, force=True)

    assert worker.value(TAKE, portfolio.customer_id, upload_id) is True


def test_a_suspended_customers_is_refused(portfolio: Portfolio, worker: Database) -> None:
    upload_id = receive(portfolio, FILE)
    suspend_only(portfolio)

    with refused("PD005"):
        worker.execute(TAKE, portfolio.customer_id, upload_id)


def test_an_unknown_one_is_refused(portfolio: Portfolio, worker: Database) -> None:
    with refused("PD016"):
        worker.execute(TAKE, portfolio.customer_id, 2**40)


def test_another_isolation_level_is_refused(portfolio: Portfolio, connect: Connect) -> None:
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    with refused("PD001"):
        database.execute(TAKE, portfolio.customer_id, 1)


@pytest.mark.parametrize("other", [TAKE, FAIL])
def test_whoever_comes_second_waits_and_finds_it_finished(
    portfolio: Portfolio, worker: Database, database_url: DatabaseUrl, other: str
) -> None:
    upload_id = receive(portfolio, FILE)
    with open_connections(database_url, 2) as [first, second]:
        first.execute("BEGIN")
        assert first.value(TAKE, portfolio.customer_id, upload_id) is True
        waiting = Background(second, lambda d: d.value(other, portfolio.customer_id, upload_id))
        waiting.wait_until_blocked(worker)
        # Stands for the load.
        first.execute("SELECT ingest.create_staging()")
        first.execute(
            "SELECT ingest.merge_received(%s, %s, '{}', '{}')", portfolio.customer_id, upload_id
        )
        first.execute("COMMIT")

        assert waiting.join() in (False, "", None)
    assert upload(portfolio, upload_id)["error"] == "the file has no rows"


@pytest.mark.parametrize("login", ["claimdrift_tenant"])
def test_it_is_the_workers(portfolio: Portfolio, connect: Connect, login: str) -> None:
    web = Database(connect("claimdrift_web"))
    web.execute(f"SET ROLE {login}")
    for statement in (TAKE, FAIL, "SELECT ingest.merge_received(%s, %s, '{}', '{}')"):
        with refused("42501"):
            web.execute(statement, portfolio.customer_id, 1)


def test_the_wrapper_says_the_same(portfolio: Portfolio) -> None:
    upload_id = receive(portfolio, FILE)
    customer_id = portfolio.customer_id

    assert functions.ingest_take_upload(customer_id=customer_id, upload_id=upload_id)
    functions.ingest_fail_upload(customer_id=customer_id, upload_id=upload_id, error="Enough.")
    assert not functions.ingest_take_upload(customer_id=customer_id, upload_id=upload_id)
