"""Changed aliases and mappings, applied to all claims."""

import pytest

from core.functions import ingest_remap_claims
from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import counts, load, row
from tests.ingest.receiving import suspend
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

REMAP = "SELECT ingest.remap_claims(p_customer_id => %s)"


def remap(portfolio: Portfolio) -> int:
    moved: int = portfolio.worker.value("SELECT ingest.remap_claims(%s)", portfolio.customer_id)
    return moved


def names(portfolio: Portfolio) -> list[tuple[str, str, str]]:
    """Claim number, payer and group of each claim."""
    return [
        (str(number), str(payer), str(group))
        for number, payer, group in portfolio.owner.execute(
            "SELECT c.claim_number, p.name, g.name FROM claim c JOIN payer p ON p.id = c.payer_id"
            " JOIN cpt_group g ON g.id = c.cpt_group_id WHERE c.customer_id = %s ORDER BY 1",
            portfolio.customer_id,
        )
    ]


def test_nothing_changed_moves_nothing(portfolio: Portfolio) -> None:
    load(portfolio, row())
    assert remap(portfolio) == 0


def test_an_alias_moves_its_claims(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A"), row(claim_number="B", payer="AETNA Inc"))
    assert names(portfolio) == [("A", "Aetna", "99213"), ("B", "AETNA Inc", "99213")]
    portfolio.worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id)"
        " SELECT customer_id, 'aetna inc', id FROM payer WHERE customer_id = %s AND name = 'Aetna'",
        portfolio.customer_id,
    )
    assert remap(portfolio) == 1
    assert names(portfolio) == [("A", "Aetna", "99213"), ("B", "Aetna", "99213")]


def test_an_alias_that_is_gone_moves_them_back(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A"))
    portfolio.worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id)"
        " SELECT customer_id, 'Aetna Life', id FROM payer WHERE customer_id = %s",
        portfolio.customer_id,
    )
    load(portfolio, row(claim_number="B", payer="Aetna Life"))
    assert names(portfolio) == [("A", "Aetna", "99213"), ("B", "Aetna", "99213")]
    portfolio.worker.execute(
        "DELETE FROM payer_alias WHERE customer_id = %s", portfolio.customer_id
    )
    assert remap(portfolio) == 1
    assert names(portfolio) == [("A", "Aetna", "99213"), ("B", "Aetna Life", "99213")]


def test_a_mapping_moves_its_claims(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A"), row(claim_number="B", cpt="99214"))
    portfolio.worker.execute(
        "INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id) VALUES (%s, '99214', %s)",
        portfolio.customer_id,
        portfolio.group("Office visits"),
    )
    assert remap(portfolio) == 1
    assert names(portfolio) == [("A", "Aetna", "99213"), ("B", "Aetna", "Office visits")]
    assert counts(load(portfolio, row(claim_number="C", cpt="99214"))) == {"inserted": 1}
    assert names(portfolio)[2] == ("C", "Aetna", "Office visits")


def test_other_customers_stay_where_they_are(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    other = Portfolio(owner, worker)
    for customer in (portfolio, other):
        load(customer, row(claim_number="A", payer="Old"))
    portfolio.worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'Old', %s)",
        portfolio.customer_id,
        portfolio.payer("New"),
    )
    assert remap(portfolio) == 1
    assert names(portfolio) == [("A", "New", "99213")]
    assert names(other) == [("A", "Old", "99213")]


@pytest.fixture
def renamed(portfolio: Portfolio) -> Portfolio:
    """A customer with one claim that a new alias leads to another payer, and nothing queued."""
    load(portfolio, row(claim_number="A"), row(claim_number="B", payer="AETNA Inc"))
    portfolio.worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id)"
        " SELECT customer_id, 'aetna inc', id FROM payer WHERE customer_id = %s AND name = 'Aetna'",
        portfolio.customer_id,
    )
    portfolio.owner.execute(
        "DELETE FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
        str(portfolio.customer_id),
    )
    return portfolio


def queued(portfolio: Portfolio) -> list[str]:
    """The tasks that are queued for the customer."""
    return [
        task
        for [task] in portfolio.owner.execute(
            "SELECT task_name FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
            str(portfolio.customer_id),
        )
    ]


def test_nothing_but_the_payer_changes(renamed: Portfolio) -> None:
    before = renamed.rows("claim")
    assert ingest_remap_claims(customer_id=renamed.customer_id) == 1

    after = renamed.rows("claim")
    assert len({claim["payer_id"] for claim in after}) == 1
    assert [c | {"payer_id": 0} for c in after] == [c | {"payer_id": 0} for c in before]
    again = row(claim_number="B", payer="AETNA Inc")
    assert counts(load(renamed, again)) == {"unchanged": 1}


def test_detection_is_queued_when_claims_moved_and_only_then(renamed: Portfolio) -> None:
    remap(renamed)
    assert queued(renamed) == ["core.tasks.detect"]

    renamed.owner.execute(
        "DELETE FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
        str(renamed.customer_id),
    )
    assert remap(renamed) == 0
    assert queued(renamed) == []


def test_a_customer_without_claims_is_left_alone(portfolio: Portfolio) -> None:
    assert remap(portfolio) == 0
    assert portfolio.rows("payer") == []
    assert queued(portfolio) == []


@pytest.mark.parametrize("lock", ["ingest", "drift"])
def test_it_waits_for_a_load_and_for_detection(
    renamed: Portfolio, database_url: DatabaseUrl, connect: Connect, lock: str
) -> None:
    holder = Database(connect("claimdrift_migrator"))
    with open_connections(database_url, 1) as [database]:
        holder.execute("BEGIN")
        holder.execute(f"SELECT {lock}.lock_customer(%s)", renamed.customer_id)
        remapping = Background(database, lambda d: d.value(REMAP, renamed.customer_id))
        try:
            remapping.wait_until_blocked(renamed.worker)
        finally:
            holder.execute("COMMIT")
        assert remapping.join() == 1


def test_a_tenant_remaps_its_own_claims_only(
    renamed: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    with as_tenant(connect("claimdrift_web"), renamed.customer_id) as tenant:
        assert tenant.value(REMAP, renamed.customer_id) == 1
        with refused("PD003"):
            tenant.execute(REMAP, other.customer_id)


def test_a_customer_that_was_suspended_meanwhile_is_refused(renamed: Portfolio) -> None:
    before = names(renamed)
    suspend(renamed)

    with refused("PD005"):
        remap(renamed)
    assert names(renamed) == before


def test_another_isolation_level_is_refused(portfolio: Portfolio, connect: Connect) -> None:
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    with refused("PD001"):
        database.execute(REMAP, portfolio.customer_id)
