"""`ingest.keep_former_name`: a renamed payer keeps the claims and files of its former name."""

from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import load, row
from tests.ingest.naming import add_alias, aliases, id_of, payers, queued, remap, rename
from tests.portfolio import Portfolio, as_tenant


def test_claims_and_files_of_the_former_name_stay_with_it(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A"))
    payer_id = id_of(portfolio, "payer", "Aetna")

    rename(portfolio, "payer", payer_id, "Aetna Better Health")

    assert aliases(portfolio) == {"Aetna": payer_id}
    assert queued(portfolio) == 1
    assert remap(portfolio) == 0
    load(portfolio, row(claim_number="B", payer="AETNA"))
    load(portfolio, row(claim_number="C", payer="aetna better health"))
    assert set(payers(portfolio).values()) == {"Aetna Better Health"}
    assert len(portfolio.rows("payer")) == 1


def test_another_case_is_the_same_name(portfolio: Portfolio) -> None:
    payer_id = portfolio.payer("Aetna")

    rename(portfolio, "payer", payer_id, "AETNA")
    rename(portfolio, "payer", payer_id, "AETNA")

    assert aliases(portfolio) == {}
    assert queued(portfolio) == 0


def test_each_name_that_it_had_leads_to_it(portfolio: Portfolio) -> None:
    payer_id = portfolio.payer("One")
    for name in ("Two", "Three", "One", "Four"):
        rename(portfolio, "payer", payer_id, name)

    assert aliases(portfolio) == dict.fromkeys(("One", "Two", "Three"), payer_id)


def test_a_name_that_led_elsewhere_still_does(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    old, new = (id_of(portfolio, "payer", name) for name in ("Old", "New"))
    add_alias(portfolio, "OLD", new)
    remap(portfolio)

    rename(portfolio, "payer", old, "Nobody's")

    assert aliases(portfolio) == {"OLD": new}
    assert remap(portfolio) == 0
    assert payers(portfolio) == {"A": "New", "B": "New"}


def test_one_statement_renames_several(portfolio: Portfolio) -> None:
    ids = {name: portfolio.payer(name) for name in ("One", "Two", "Three")}

    portfolio.worker.execute(
        "UPDATE payer SET name = name || ' Inc' WHERE customer_id = %s AND name <> 'Two'",
        portfolio.customer_id,
    )

    assert aliases(portfolio) == {name: ids[name] for name in ("One", "Three")}


def test_a_tenant_renames_and_the_trail_says_so(portfolio: Portfolio, connect: Connect) -> None:
    actor_id, payer_id = portfolio.user(), portfolio.payer("Aetna")
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id, actor_id) as tenant:
        tenant.execute("UPDATE payer SET name = 'Aetna Inc' WHERE id = %s", payer_id)
        tenant.execute("COMMIT")

    assert aliases(portfolio) == {"Aetna": payer_id}
    entries = {e["table_name"]: e for e in portfolio.rows("audit_entry")[-2:]}
    assert entries["payer"]["changes"] == {"name": ["Aetna", "Aetna Inc"]}
    assert entries["payer_alias"]["changes"]["alias"] == [None, "Aetna"]
    assert {entry["actor_id"] for entry in entries.values()} == {actor_id}


def test_a_file_that_is_being_loaded_finds_it_by_either_name(
    portfolio: Portfolio, connect: Connect
) -> None:
    load(portfolio, row(claim_number="A"))
    payer_id = id_of(portfolio, "payer", "Aetna")
    renamer = Database(connect())
    renamer.execute("BEGIN")
    renamer.execute("UPDATE payer SET name = 'Aetna Inc' WHERE id = %s", payer_id)
    load(portfolio, row(claim_number="B"))
    renamer.execute("COMMIT")
    load(portfolio, row(claim_number="C"))

    assert remap(portfolio) == 0
    assert set(payers(portfolio).values()) == {"Aetna Inc"}
