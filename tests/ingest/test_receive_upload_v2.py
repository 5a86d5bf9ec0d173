"""`ingest.receive_upload_v2`: a file is announced."""

import pytest
from django.db import IntegrityError

from tests.conftest import Connect
from tests.database import Database
from tests.ingest.receiving import announce, suspend, upload
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

RECEIVE = "SELECT ingest.receive_upload_v2(%s, %s, repeat('a', 64), 7, false, false, false, '')"


@pytest.mark.parametrize("flag", ["strict", "correct", "force"])
def test_it_keeps_what_was_announced(portfolio: Portfolio, flag: str) -> None:
    upload_id = announce(portfolio, b"content", filename="May.csv", **{flag: True})

    row = upload(portfolio, upload_id)
    assert (row["filename"], row["size_bytes"], row["status"]) == ("May.csv", 7, "received")
    assert {name: row[name] for name in ("strict", "correct", "force")} == {
        name: name == flag for name in ("strict", "correct", "force")
    }
    assert (row["queued_at"], row["finished_at"], row["uploaded_by_id"]) == (None, None, None)


def test_it_names_the_user_at_work(portfolio: Portfolio, connect: Connect) -> None:
    user_id = portfolio.user()
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id, user_id) as tenant:
        upload_id = tenant.value(RECEIVE, portfolio.customer_id, "claims.csv")

        assert tenant.value("SELECT uploaded_by_id FROM upload WHERE id = %s", upload_id) == user_id


def test_a_long_name_is_cut(portfolio: Portfolio) -> None:
    upload_id = announce(portfolio, b"", filename="n" * 300)

    assert upload(portfolio, upload_id)["filename"] == "n" * 255


def test_a_suspended_customer_is_refused(portfolio: Portfolio, worker: Database) -> None:
    suspend(portfolio)

    with refused("PD005"):
        worker.execute(RECEIVE, portfolio.customer_id, "claims.csv")


def test_a_tenant_receives_for_itself_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    with (
        as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant,
        refused("PD003"),
    ):
        tenant.execute(RECEIVE, other.customer_id, "claims.csv")


def test_it_keeps_the_source_without_what_surrounds_it(portfolio: Portfolio) -> None:
    upload_id = announce(portfolio, b"content", source=" Epic East ")

    assert upload(portfolio, upload_id)["source"] == "Epic East"


@pytest.mark.parametrize("source", ["x" * 65, "a\tb"])
def test_what_cannot_be_a_source_is_refused(portfolio: Portfolio, source: str) -> None:
    with pytest.raises(IntegrityError, match="upload_source_check"):
        announce(portfolio, b"content", source=source)
