"""`ingest.merge`: what a release from before there were sources calls."""

from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import counts, load, row
from tests.portfolio import Portfolio

STAGE = (
    "INSERT INTO pg_temp.staging"
    " (line, claim_number, payer, cpt, submitted_date, decided_date, outcome)"
    " VALUES (2, 'C1', 'Aetna', '99213', '2026-01-05', '2026-01-20', 'DENIED')"
)
MERGE = (
    "SELECT rows_inserted, rows_updated FROM ingest.merge(p_customer_id => %s,"
    " p_filename => 'claims.csv', p_sha256 => repeat('a', 64), p_size_bytes => 1)"
)


def merge(session: Database, portfolio: Portfolio) -> list[tuple[int, int]]:
    """Rows inserted and updated."""
    session.connection.autocommit = False
    session.execute("SELECT ingest.create_staging()")
    session.execute(STAGE)
    rows = session.execute(MERGE, portfolio.customer_id)
    session.connection.commit()
    return rows


def test_it_knows_the_claims_without_a_source_alone(portfolio: Portfolio, connect: Connect) -> None:
    load(portfolio, row(), source="athena")

    assert merge(Database(connect()), portfolio) == [(1, 0)]
    assert [c["source"] for c in portfolio.rows("claim")] == ["athena", ""]
    assert counts(load(portfolio, row(decided_date="2026-02-01"))) == {"updated": 1}
