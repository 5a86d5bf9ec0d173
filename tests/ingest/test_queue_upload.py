"""`ingest.queue_upload`: a file that is complete waits for the worker."""

import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.ingest.receiving import announce, receive, upload
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

ADD = "SELECT ingest.add_chunk(%s, %s, %s, %s)"
QUEUE = "SELECT ingest.queue_upload(%s, %s)"
FETCH = "SELECT (procrastinate_fetch_job_v2(ARRAY['ingest'], NULL)).id"
FINISH = "SELECT procrastinate_finish_job_v1(%s, 'succeeded', false)"


@pytest.fixture(autouse=True)
def _empty_queue(owner: Database) -> None:
    owner.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'ingest'")


def test_the_job_names_the_upload(portfolio: Portfolio, worker: Database) -> None:
    upload_id = announce(portfolio, b"abc")
    worker.execute(ADD, portfolio.customer_id, upload_id, 1, b"c")
    worker.execute(ADD, portfolio.customer_id, upload_id, 0, b"ab")

    job_id = worker.value(QUEUE, portfolio.customer_id, upload_id)

    job = worker.one("SELECT * FROM procrastinate_jobs WHERE id = %s", job_id)
    assert (job["queue_name"], job["task_name"]) == ("ingest", "core.tasks.load_upload")
    assert job["queueing_lock"] == f"upload:{upload_id}"
    assert job["args"] == {"customer_id": portfolio.customer_id, "upload_id": upload_id}
    assert upload(portfolio, upload_id)["queued_at"] is not None


def test_an_empty_file_has_no_chunks(portfolio: Portfolio) -> None:
    assert upload(portfolio, receive(portfolio, b""))["queued_at"] is not None


@pytest.mark.parametrize(
    "chunks",
    [[], [(0, b"ab")], [(0, b"ab"), (1, b"cd")], [(1, b"abc")], [(0, b"ab"), (2, b"c")]],
    ids=["none", "too few", "too many", "the first is missing", "one is missing"],
)
def test_an_incomplete_one_is_refused(
    portfolio: Portfolio, worker: Database, chunks: list[tuple[int, bytes]]
) -> None:
    upload_id = announce(portfolio, b"abc")
    for number, content in chunks:
        worker.execute(ADD, portfolio.customer_id, upload_id, number, content)

    with refused("PD015", "all bytes"):
        worker.execute(QUEUE, portfolio.customer_id, upload_id)
    assert upload(portfolio, upload_id)["queued_at"] is None


def test_it_is_queued_once(portfolio: Portfolio, worker: Database) -> None:
    upload_id = receive(portfolio, b"content")

    with refused("PD015"):
        worker.execute(QUEUE, portfolio.customer_id, upload_id)


def test_an_unknown_one_is_refused(portfolio: Portfolio, worker: Database) -> None:
    with refused("PD016"):
        worker.execute(QUEUE, portfolio.customer_id, 2**40)


def test_a_customers_files_are_loaded_in_their_order_and_hold_nobody_else_up(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    other = Portfolio(owner, worker)
    uploads = [receive(portfolio, b"1"), receive(portfolio, b"2"), receive(other, b"3")]
    jobs = dict(
        worker.execute(
            "SELECT (args ->> 'upload_id')::bigint, id FROM procrastinate_jobs"
            " WHERE queue_name = 'ingest'"
        )
    )
    first, second, others = (jobs[upload_id] for upload_id in uploads)

    assert worker.value(FETCH) == first
    assert worker.value(FETCH) == others
    assert worker.value(FETCH) is None
    worker.execute(FINISH, first)
    assert worker.value(FETCH) == second


def test_a_tenant_queues_its_own_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    web = connect("claimdrift_web")
    other = Portfolio(owner, worker)
    with as_tenant(web, portfolio.customer_id) as tenant:
        assert tenant.value(QUEUE, portfolio.customer_id, announce(portfolio, b"")) is not None
        with refused("PD003"):
            tenant.execute(QUEUE, other.customer_id, announce(other, b""))
