"""`ingest.add_chunk`: the bytes of a file, piece by piece."""

import pytest

from core import functions
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.receiving import announce, receive
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

ADD = "SELECT ingest.add_chunk(%s, %s, %s, %s)"


def test_pieces_are_kept_as_they_are(portfolio: Portfolio) -> None:
    content = bytes(range(256))
    upload_id = announce(portfolio, content * 2)

    for number in (0, 1):
        functions.ingest_add_chunk(
            customer_id=portfolio.customer_id, upload_id=upload_id, number=number, content=content
        )

    chunks = portfolio.rows("upload_chunk", order_by="number")
    assert [(c["upload_id"], c["number"], bytes(c["content"])) for c in chunks] == [
        (upload_id, 0, content),
        (upload_id, 1, content),
    ]


def test_a_number_is_used_once(portfolio: Portfolio, worker: Database) -> None:
    upload_id = announce(portfolio, b"ab")
    worker.execute(ADD, portfolio.customer_id, upload_id, 0, b"a")

    with refused("PD015", "0, 1, 2"):
        worker.execute(ADD, portfolio.customer_id, upload_id, 0, b"b")


def test_one_that_waits_for_the_worker_takes_no_more(
    portfolio: Portfolio, worker: Database
) -> None:
    upload_id = receive(portfolio, b"content")

    with refused("PD015", "ingest.receive_upload_v2"):
        worker.execute(ADD, portfolio.customer_id, upload_id, 1, b"more")


def test_one_that_is_finished_takes_no_more(portfolio: Portfolio, worker: Database) -> None:
    upload_id = announce(portfolio, b"content")
    functions.ingest_fail_upload(
        customer_id=portfolio.customer_id, upload_id=upload_id, error="Enough."
    )

    with refused("PD015"):
        worker.execute(ADD, portfolio.customer_id, upload_id, 0, b"content")


def test_an_unknown_one_is_refused(portfolio: Portfolio, owner: Database, worker: Database) -> None:
    with refused("PD016"):
        worker.execute(ADD, portfolio.customer_id, 2**40, 0, b"")
    with refused("PD016"):
        worker.execute(ADD, portfolio.customer_id, Portfolio(owner, worker).upload_id, 0, b"")


@pytest.mark.parametrize("own", [True, False])
def test_a_tenant_adds_to_its_own_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect, own: bool
) -> None:
    other = portfolio if own else Portfolio(owner, worker)
    upload_id = announce(other, b"a")
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant:
        if own:
            tenant.execute(ADD, other.customer_id, upload_id, 0, b"a")
            assert tenant.value("SELECT count(*) FROM upload_chunk") == 1
        else:
            with refused("PD003"):
                tenant.execute(ADD, other.customer_id, upload_id, 0, b"a")
