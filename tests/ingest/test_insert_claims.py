"""`ingest.insert_claims`: new claims, beside those who change payers."""

from threading import Thread

import psycopg2
import pytest
from django.db import connection, transaction

from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import counts, load, row
from tests.portfolio import Portfolio


def test_claims_refer_to_their_payers_and_groups(portfolio: Portfolio) -> None:
    upload = load(portfolio, row(), row(claim_number="C2", payer="Cigna", cpt="99214"))
    assert counts(upload) == {"inserted": 2}
    assert [
        (payer, group)
        for payer, group in portfolio.owner.execute(
            "SELECT p.name, g.name FROM claim c"
            " JOIN payer p ON p.id = c.payer_id AND p.customer_id = c.customer_id"
            " JOIN cpt_group g ON g.id = c.cpt_group_id AND g.customer_id = c.customer_id"
            " WHERE c.customer_id = %s ORDER BY c.id",
            portfolio.customer_id,
        )
    ] == [("Aetna", "99213"), ("Cigna", "99214")]


def test_a_payer_that_is_just_being_deleted_is_waited_for_and_made_anew(
    portfolio: Portfolio, connect: Connect
) -> None:
    payer_id = portfolio.payer("Aetna")
    deleter = Database(connect())
    deleter.execute("BEGIN")
    deleter.execute("DELETE FROM payer WHERE id = %s", payer_id)

    def load_and_close() -> None:
        try:
            load(portfolio, row())
        finally:
            connection.close()

    loader = Thread(target=load_and_close)
    loader.start()
    [[pid]] = deleter.execute("SELECT pg_backend_pid()")
    while not portfolio.owner.execute(
        "SELECT pid FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))", pid
    ):
        portfolio.owner.execute("SELECT pg_sleep(0.01)")
    deleter.execute("COMMIT")
    loader.join()

    [claim] = portfolio.rows("claim")
    [payer] = portfolio.rows("payer")
    assert claim["payer_id"] == payer["id"] != payer_id


def test_a_payer_of_claims_that_are_just_being_loaded_cannot_be_deleted(
    portfolio: Portfolio, connect: Connect
) -> None:
    payer_id = portfolio.payer("Aetna")
    deleter = Database(connect())
    deleter.execute("SET lock_timeout = '100ms'")
    with transaction.atomic():
        load(portfolio, row())
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            deleter.execute("DELETE FROM payer WHERE id = %s", payer_id)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        deleter.execute("DELETE FROM payer WHERE id = %s", payer_id)
