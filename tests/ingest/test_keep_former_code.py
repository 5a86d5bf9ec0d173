"""`ingest.keep_former_code`: a renamed group keeps the code that it was named after."""

import pytest

from tests.conftest import Connect
from tests.ingest.loading import load, row
from tests.ingest.naming import groups, id_of, mappings, queued, remap, rename
from tests.portfolio import Portfolio, as_tenant


def test_claims_and_files_with_the_code_stay_in_it(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A"))
    group_id = id_of(portfolio, "cpt_group", "99213")

    rename(portfolio, "cpt_group", group_id, "Office visit")

    assert mappings(portfolio) == {"99213": group_id}
    assert queued(portfolio) == 1
    assert remap(portfolio) == 0
    load(portfolio, row(claim_number="B"))
    assert groups(portfolio) == {"A": "Office visit", "B": "Office visit"}
    assert len(portfolio.rows("cpt_group")) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("j1100", "J1100"),
        ("D0120.A-1", "D0120.A-1"),
        ("Visits", None),
        ("Level 3", None),
        ("-99213", None),
        ("9" * 21, None),
    ],
)
def test_only_codes_are_mapped(portfolio: Portfolio, name: str, code: str | None) -> None:
    group_id = portfolio.group(name)

    rename(portfolio, "cpt_group", group_id, "Renamed")

    assert mappings(portfolio) == ({code: group_id} if code else {})


def test_a_name_that_is_too_long_for_a_code_is_no_hindrance(
    connect: Connect, portfolio: Portfolio
) -> None:
    group_id = portfolio.group("Evaluation and management 2")

    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant:
        tenant.execute("UPDATE cpt_group SET name = 'Office visit' WHERE id = %s", group_id)
        assert tenant.execute("SELECT cpt FROM cpt_mapping") == []


def test_a_code_without_digits_is_one_when_claims_have_it(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", cpt="VISITS"))
    group_id = id_of(portfolio, "cpt_group", "VISITS")

    rename(portfolio, "cpt_group", group_id, "Office visit")

    assert mappings(portfolio) == {"VISITS": group_id}
    assert remap(portfolio) == 0


def test_another_case_is_the_same_name(portfolio: Portfolio) -> None:
    group_id = portfolio.group("j1100")

    rename(portfolio, "cpt_group", group_id, "J1100")

    assert (mappings(portfolio), queued(portfolio)) == ({}, 0)


def test_a_code_that_led_elsewhere_still_does(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A"))
    former, other = id_of(portfolio, "cpt_group", "99213"), portfolio.group("Office visit")
    portfolio.worker.execute(
        "INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id) VALUES (%s, '99213', %s)",
        portfolio.customer_id,
        other,
    )
    remap(portfolio)

    rename(portfolio, "cpt_group", former, "Empty")

    assert mappings(portfolio) == {"99213": other}
    assert remap(portfolio) == 0
    assert groups(portfolio) == {"A": "Office visit"}


def test_a_tenant_renames_and_the_trail_says_so(portfolio: Portfolio, connect: Connect) -> None:
    load(portfolio, row(claim_number="A", cpt="VISITS"))
    actor_id, group_id = portfolio.user(), id_of(portfolio, "cpt_group", "VISITS")
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id, actor_id) as tenant:
        tenant.execute("UPDATE cpt_group SET name = 'Office visit' WHERE id = %s", group_id)
        tenant.execute("COMMIT")

    assert mappings(portfolio) == {"VISITS": group_id}
    entries = {e["table_name"]: e for e in portfolio.rows("audit_entry")[-2:]}
    assert entries["cpt_group"]["changes"] == {"name": ["VISITS", "Office visit"]}
    assert entries["cpt_mapping"]["changes"]["cpt"] == [None, "VISITS"]
    assert {entry["actor_id"] for entry in entries.values()} == {actor_id}
