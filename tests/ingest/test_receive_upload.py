"""`ingest.receive_upload`: what a release from before there were sources calls."""

from tests.ingest.receiving import upload
from tests.portfolio import Portfolio

RECEIVE = "SELECT ingest.receive_upload(%s, 'claims.csv', repeat('a', 64), 7, true, false, true)"


def test_it_is_an_upload_without_a_source(portfolio: Portfolio) -> None:
    upload_id = portfolio.worker.value(RECEIVE, portfolio.customer_id)

    row = upload(portfolio, upload_id)
    assert (row["source"], row["size_bytes"], row["status"]) == ("", 7, "received")
    assert (row["strict"], row["correct"], row["force"]) == (True, False, True)
