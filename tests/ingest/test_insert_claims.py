"""New claims: inserted with the checks of foreign keys, or without them where that is allowed."""

from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import psycopg2
import pytest
from django.db import connection, transaction

from tests.conftest import SERVER, Connect
from tests.database import Database
from tests.ingest.loading import counts, load, row
from tests.portfolio import Portfolio

MAY_SKIP = "SELECT has_parameter_privilege('claimdrift_owner', 'session_replication_role', 'SET')"


@pytest.fixture(params=[True, False], ids=["without checks", "with checks"])
def may_skip(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the owner may leave the checks out; put back afterwards."""
    change = {
        True: "GRANT SET ON PARAMETER session_replication_role TO claimdrift_owner",
        False: "REVOKE SET ON PARAMETER session_replication_role FROM claimdrift_owner",
    }
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as session:
        session.autocommit = True
        superuser = Database(session)
        before = bool(superuser.value(MAY_SKIP))
        superuser.execute(change[request.param])
        yield request.param
        superuser.execute(change[before])


def test_claims_refer_to_their_payers_and_groups(portfolio: Portfolio, may_skip: bool) -> None:
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


def test_checks_are_on_again_afterwards(portfolio: Portfolio, may_skip: bool) -> None:
    with transaction.atomic():
        load(portfolio, row())
        with connection.cursor() as cursor:
            cursor.execute("SHOW session_replication_role")
            assert cursor.fetchone() == ("origin",)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        portfolio.worker.execute("DELETE FROM payer WHERE customer_id = %s", portfolio.customer_id)


def test_a_payer_that_is_just_being_deleted_is_waited_for_and_made_anew(
    portfolio: Portfolio, connect: Connect, may_skip: bool
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
    portfolio: Portfolio, connect: Connect, may_skip: bool
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
