"""`ingest.check_payer`: what users may not do to a payer."""

from pathlib import Path

import pytest

from tests.acceptance.together import DatabaseUrl
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import HEADER, load, row
from tests.ingest.naming import add_alias, aliases, id_of, merge, payers, rename
from tests.ingest.processes import ended, start_ingest, wait_for_waiters
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused


def test_a_merged_payer_can_not_be_renamed(portfolio: Portfolio) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    merge(portfolio, old, new)

    for name in ("Older", "OLD"):
        with refused("PD014", "that it was merged into"):
            rename(portfolio, "payer", old, name)
    rename(portfolio, "payer", new, "Newer")


def test_a_name_that_is_an_alias_of_another_is_refused(portfolio: Portfolio) -> None:
    one, two = portfolio.payer("One"), portfolio.payer("Two")
    add_alias(portfolio, "First", one)

    with refused("PD014", "delete the alias"):
        rename(portfolio, "payer", two, "FIRST")
    with refused("PD014", "delete the alias"):
        portfolio.worker.execute(
            "INSERT INTO payer (customer_id, name) VALUES (%s, 'first')", portfolio.customer_id
        )
    rename(portfolio, "payer", one, "First")
    assert aliases(portfolio) == {"First": one, "One": one}


def test_a_name_may_be_an_alias_at_another_customer(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    add_alias(portfolio, "First", portfolio.payer("One"))
    other = Portfolio(owner, worker)

    rename(other, "payer", other.payer("Two"), "First")

    assert aliases(other) == {"Two": other.payer("Two")}


@pytest.mark.parametrize("role", ["claimdrift_tenant", "claimdrift_platform"])
def test_nobody_merges_by_hand(portfolio: Portfolio, connect: Connect, role: str) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    done = portfolio.payer("Done")
    merge(portfolio, done, new)
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as database:
        database.execute(f"SET LOCAL ROLE {role}")
        database.execute("SAVEPOINT s")
        for statement in (
            f"UPDATE payer SET merged_into_id = {new} WHERE id = {old}",
            f"UPDATE payer SET merged_into_id = NULL WHERE id = {done}",
            f"UPDATE payer SET merged_into_id = {old} WHERE id = {done}",
            f"INSERT INTO payer (customer_id, name, merged_into_id)"
            f" VALUES ({portfolio.customer_id}, 'Born', {new})",
        ):
            with refused("PD014", "ingest.merge_payers"):
                database.execute(statement)
            database.execute("ROLLBACK TO s")
        # Writing what is there already, as the ORM does, is nothing.
        database.execute("UPDATE payer SET merged_into_id = merged_into_id, name = name")


def test_an_alias_that_comes_while_a_file_is_loaded_does_not_fail_the_file(
    portfolio: Portfolio, connect: Connect, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    load(portfolio, row(claim_number="A"))
    aetna = id_of(portfolio, "payer", "Aetna")
    file = tmp_path / "claims.csv"
    file.write_text("\n".join([HEADER, row(claim_number="B", payer="AETNA Inc"), ""]))
    holder = Database(connect("claimdrift_migrator"))
    holder.execute("BEGIN")
    # The file has looked for aliases when it waits for what becomes of this payer.
    holder.execute(
        "INSERT INTO payer (customer_id, name) VALUES (%s, 'AETNA Inc')", portfolio.customer_id
    )

    process = start_ingest(file, portfolio, database_url)
    with ended(process):
        wait_for_waiters(holder, 1, process)
        add_alias(portfolio, "AETNA Inc", aetna)
        holder.execute("ROLLBACK")
        process.communicate()

    assert process.returncode == 0
    assert payers(portfolio) == {"A": "Aetna", "B": "Aetna"}
