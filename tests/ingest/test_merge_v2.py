"""`ingest.merge_v2`: what staged rows do to the claims."""

from datetime import date
from typing import Any

import pytest
from django.db import transaction

from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import HEADER, counts, load, problems, row
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

UNDECIDED = {"decided_date": "", "allowed_amount": "", "paid_amount": ""}
PENDING = row(outcome="PENDING", **UNDECIDED)
DENIED = row(outcome="DENIED", decided_date="2026-01-20", paid_amount="0", denial_code="CO-16")
PAID = row(outcome="PAID", decided_date="2026-03-01")
MERGE = "SELECT * FROM ingest.merge_v2(%s, 'claims.csv', repeat('a', 64), 1)"


def claim(portfolio: Portfolio) -> dict[str, Any]:
    """The one claim line there is."""
    [only] = portfolio.rows("claim")
    return only


def decisions(portfolio: Portfolio) -> tuple[str, date | None, str | None, date | None]:
    """What was decided last and first."""
    line = claim(portfolio)
    return (
        line["outcome"],
        line["decided_date"],
        line["first_outcome"],
        line["first_decided_date"],
    )


def queued(portfolio: Portfolio) -> list[dict[str, Any]]:
    """The arguments of the customer's detection jobs."""
    return [
        job["args"]
        for job in portfolio.owner.dicts(
            "SELECT args FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
            str(portfolio.customer_id),
        )
    ]


# First determinations


def test_an_appeal_keeps_the_first_determination(portfolio: Portfolio) -> None:
    load(portfolio, PENDING)
    assert decisions(portfolio) == ("PENDING", None, None, None)

    assert counts(load(portfolio, DENIED)) == {"updated": 1}
    first = ("DENIED", date(2026, 1, 20))
    assert decisions(portfolio) == (*first, *first)

    assert counts(load(portfolio, PAID)) == {"updated": 1}
    assert decisions(portfolio) == ("PAID", date(2026, 3, 1), *first)


def test_one_file_is_as_good_as_three(portfolio: Portfolio) -> None:
    upload = load(portfolio, PENDING, DENIED, PAID)

    assert counts(upload) == {"inserted": 1, "updated": 2}
    assert decisions(portfolio) == ("PAID", date(2026, 3, 1), "DENIED", date(2026, 1, 20))


def test_a_claim_line_counts_by_its_own(portfolio: Portfolio) -> None:
    upload = load(portfolio, row(line_number=""), row(line_number="2"), row(line_number="1"))

    assert counts(upload) == {"inserted": 2, "unchanged": 1}
    assert [line["line_number"] for line in portfolio.rows("claim", "line_number")] == [1, 2]


def test_the_submission_that_was_decided_first_stays_with_its_decision(
    portfolio: Portfolio,
) -> None:
    load(portfolio, DENIED)
    load(portfolio, row(submitted_date="2026-02-01", decided_date="2026-03-01"))

    assert claim(portfolio)["submitted_date"] == date(2026, 1, 5)


def test_a_pending_claim_may_be_submitted_again(portfolio: Portfolio) -> None:
    load(portfolio, PENDING)
    again = row(outcome="PENDING", submitted_date="2026-01-09", **UNDECIDED)

    assert counts(load(portfolio, again)) == {"updated": 1}
    assert claim(portfolio)["submitted_date"] == date(2026, 1, 9)


# Stale, unchanged, corrected


@pytest.mark.parametrize("older", [DENIED, PENDING])
def test_an_older_row_is_stale(portfolio: Portfolio, older: str) -> None:
    load(portfolio, PAID)
    before = portfolio.rows("claim")

    assert counts(load(portfolio, older)) == {"stale": 1}
    assert portfolio.rows("claim") == before


def test_a_row_of_the_same_day_replaces(portfolio: Portfolio) -> None:
    load(portfolio, DENIED)

    assert counts(load(portfolio, row(decided_date="2026-01-20"))) == {"updated": 1}
    assert decisions(portfolio) == ("PAID", date(2026, 1, 20), "DENIED", date(2026, 1, 20))


def test_an_unchanged_row_is_not_written(portfolio: Portfolio) -> None:
    load(portfolio, PAID)
    before = portfolio.owner.execute(
        "SELECT xmin, ctid FROM claim WHERE customer_id = %s", portfolio.customer_id
    )

    assert counts(load(portfolio, PAID, "", force=True)) == {"unchanged": 1}
    after = portfolio.owner.execute(
        "SELECT xmin, ctid FROM claim WHERE customer_id = %s", portfolio.customer_id
    )
    assert after == before


@pytest.mark.parametrize(
    "change",
    [
        {"payer": "Cigna"},
        {"payer": "AETNA"},
        {"cpt": "99214"},
        {"billed_amount": "121.00"},
        {"billed_amount": ""},
        {"allowed_amount": "81"},
        {"paid_amount": "79.99"},
        {"denial_code": "CO-45"},
        {"outcome": "DENIED"},
        {"decided_date": "2026-01-21"},
    ],
)
def test_any_other_value_is_an_update(portfolio: Portfolio, change: dict[str, str]) -> None:
    load(portfolio, row())

    upload = load(portfolio, row(**change))

    assert counts(upload) == {"updated": 1}
    assert claim(portfolio)["upload_id"] == upload.upload_id


def test_the_same_amount_written_otherwise_is_unchanged(portfolio: Portfolio) -> None:
    load(portfolio, row(billed_amount="120.00"))

    assert counts(load(portfolio, row(billed_amount="120"))) == {"unchanged": 1}


@pytest.mark.parametrize("older", [DENIED, PENDING])
def test_a_correction_wins_and_resets_the_first_determination(
    portfolio: Portfolio, older: str
) -> None:
    load(portfolio, PAID)

    assert counts(load(portfolio, older, correct=True)) == {"updated": 1}
    expected = ("PENDING", None) if older == PENDING else ("DENIED", date(2026, 1, 20))
    first = (None, None) if older == PENDING else expected
    assert decisions(portfolio) == (*expected, *first)
    assert portfolio.rows("upload")[-1]["correct"]


def test_a_correction_moves_the_submission_too(portfolio: Portfolio) -> None:
    load(portfolio, row())

    load(portfolio, row(submitted_date="2026-01-02"), correct=True)

    assert claim(portfolio)["submitted_date"] == date(2026, 1, 2)


# The same file again


def test_the_same_file_twice_is_loaded_once(portfolio: Portfolio) -> None:
    first = load(portfolio, DENIED)
    before = portfolio.rows("claim"), portfolio.rows("upload")

    again = load(portfolio, DENIED)

    assert (again.status, again.upload_id) == ("repeated", first.upload_id)
    assert counts(again) == counts(first) == {"inserted": 1}
    assert (portfolio.rows("claim"), portfolio.rows("upload")) == before


def test_force_loads_it_again_in_place_of_the_former_upload(portfolio: Portfolio) -> None:
    first = load(portfolio, DENIED)

    again = load(portfolio, DENIED, force=True)

    assert again.status == "completed"
    assert again.upload_id != first.upload_id
    assert [upload["status"] for upload in portfolio.rows("upload")][1:] == [
        "superseded",
        "completed",
    ]


def test_another_customer_may_load_the_same_file(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    other = Portfolio(owner, worker)
    load(portfolio, DENIED)

    assert counts(load(other, DENIED)) == {"inserted": 1}
    assert counts(load(other, PAID)) == {"updated": 1}
    assert decisions(portfolio)[0] == "DENIED"


def test_after_a_repeated_file_another_one_may_follow_in_the_transaction(
    portfolio: Portfolio,
) -> None:
    load(portfolio, DENIED)
    with transaction.atomic():
        assert load(portfolio, DENIED).status == "repeated"
        assert counts(load(portfolio, PAID)) == {"updated": 1}


# Payers and procedure groups


def test_unknown_payers_and_codes_are_created_once(portfolio: Portfolio) -> None:
    load(
        portfolio,
        row(claim_number="1", payer="Aetna", cpt="g0438"),
        row(claim_number="2", payer=" AETNA ", cpt="G0438"),
        row(claim_number="3", payer="aetna  "),
    )

    assert len(portfolio.rows("payer")) == 1
    assert sorted(group["name"] for group in portfolio.rows("cpt_group")) == ["99213", "G0438"]
    assert len({line["payer_id"] for line in portfolio.rows("claim")}) == 1


def test_an_alias_leads_to_its_payer_in_any_case(portfolio: Portfolio) -> None:
    payer_id = portfolio.payer("Aetna")
    portfolio.worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'AET LIFE', %s)",
        portfolio.customer_id,
        payer_id,
    )

    load(portfolio, row(payer="Aet  Life"))

    assert claim(portfolio)["payer_id"] == payer_id
    assert claim(portfolio)["payer_name"] == "Aet Life"
    assert len(portfolio.rows("payer")) == 1


def test_a_mapped_code_belongs_to_its_group(portfolio: Portfolio) -> None:
    group_id = portfolio.group("Office visits")
    portfolio.worker.execute(
        "INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id) VALUES (%s, '99213', %s)",
        portfolio.customer_id,
        group_id,
    )

    load(portfolio, row())

    assert (claim(portfolio)["cpt_group_id"], claim(portfolio)["cpt"]) == (group_id, "99213")
    assert [group["name"] for group in portfolio.rows("cpt_group")] == ["Office visits"]


def test_another_customers_names_mean_nothing(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    other = Portfolio(owner, worker)
    theirs = other.payer("Aetna")

    load(portfolio, row())

    assert claim(portfolio)["payer_id"] != theirs


def test_a_claim_that_moves_to_another_payer_moves_whole(portfolio: Portfolio) -> None:
    load(portfolio, DENIED)
    load(portfolio, row(payer="Cigna", decided_date="2026-03-01"))

    [cigna] = [payer for payer in portfolio.rows("payer") if payer["name"] == "Cigna"]
    assert claim(portfolio)["payer_id"] == cigna["id"]
    assert decisions(portfolio)[2:] == ("DENIED", date(2026, 1, 20))


# What the upload says


def test_the_counts_of_everything_at_once_add_up(portfolio: Portfolio) -> None:
    load(portfolio, *(row(claim_number=f"C{n}") for n in range(5)))

    upload = load(
        portfolio,
        row(claim_number="C0"),
        row(claim_number="C1", paid_amount="1"),
        row(claim_number="C2", decided_date="2026-01-19"),
        row(claim_number="C3", outcome="?"),
        row(claim_number="C4", decided_date="2026-01-21"),
        row(claim_number="C4", decided_date="2026-01-20"),
        row(claim_number="C4", decided_date="2026-01-21"),
        row(claim_number="C5"),
        row(claim_number="C6"),
        row(claim_number="C6"),
    )

    assert upload.rows_total == 10
    assert counts(upload) == {
        "inserted": 2,
        "updated": 2,
        "unchanged": 3,
        "stale": 2,
        "rejected": 1,
    }
    stored = portfolio.rows("upload")[-1]
    assert counts(upload) == {
        name: stored[f"rows_{name}"]
        for name in ("inserted", "updated", "unchanged", "stale", "rejected")
    }
    assert stored["status"] == "completed"
    assert stored["finished_at"] >= stored["created_at"]


def test_a_file_without_rows_has_failed(portfolio: Portfolio) -> None:
    upload = load(portfolio)

    assert (upload.status, upload.error, upload.rows_total) == ("failed", "the file has no rows", 0)


def test_strict_loads_nothing_beside_a_bad_row(portfolio: Portfolio) -> None:
    upload = load(portfolio, DENIED, row(outcome="?"), strict=True)

    assert upload.status == "failed"
    assert upload.error == "rows were rejected and the load is strict"
    assert portfolio.rows("claim") == portfolio.rows("payer") == queued(portfolio) == []
    assert problems(portfolio) == [(3, "outcome", "isn't PAID, DENIED or PENDING")]
    assert counts(load(portfolio, DENIED, row(outcome="?"))) == {"inserted": 1, "rejected": 1}


def test_strict_loads_a_file_without_bad_rows(portfolio: Portfolio) -> None:
    assert counts(load(portfolio, DENIED, strict=True)) == {"inserted": 1}
    assert portfolio.rows("upload")[-1]["strict"]


def test_detection_is_queued_once_when_anything_changed(portfolio: Portfolio) -> None:
    load(portfolio, DENIED)
    job = {"customer_id": portfolio.customer_id, "as_of": None, "trigger": "upload"}
    assert queued(portfolio) == [job]

    load(portfolio, PAID)
    assert queued(portfolio) == [job]


def test_detection_is_not_queued_when_nothing_changed(portfolio: Portfolio) -> None:
    load(portfolio, PAID)
    portfolio.owner.execute(
        "DELETE FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
        str(portfolio.customer_id),
    )

    load(portfolio, PAID, "", force=True)
    load(portfolio, DENIED)

    assert queued(portfolio) == []


# Refusals


def stage(database: Database) -> None:
    database.execute("SELECT ingest.create_staging()")
    columns = ", ".join(("line", *HEADER.split(",")))
    values = ["2", *(value or None for value in DENIED.split(","))]
    marks = ", ".join(["%s"] * len(values))
    database.execute(f"INSERT INTO pg_temp.staging ({columns}) VALUES ({marks})", *values)


@pytest.fixture
def session(connect: Connect) -> Database:
    """A session of the worker's in a transaction."""
    database = Database(connect())
    database.connection.autocommit = False
    return database


def test_a_customer_that_does_not_exist_is_refused(session: Database) -> None:
    stage(session)
    with refused("PD004"):
        session.execute(MERGE, 2**40)


def test_a_suspended_customer_is_refused(portfolio: Portfolio, session: Database) -> None:
    portfolio.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
    )
    stage(session)
    with refused("PD005"):
        session.execute(MERGE, portfolio.customer_id)


def test_without_staged_rows_it_is_refused(portfolio: Portfolio, session: Database) -> None:
    with refused("PD020", "ingest.create_staging()"):
        session.execute(MERGE, portfolio.customer_id)


def test_staging_twice_in_a_transaction_is_refused(session: Database) -> None:
    session.execute("SELECT ingest.create_staging()")
    with refused("PD020", "One file is loaded per transaction"):
        session.execute("SELECT ingest.create_staging()")


@pytest.mark.parametrize(
    "definition", ["TABLE staging (line bigint)", "VIEW staging AS SELECT 1::bigint AS line"]
)
def test_a_staging_table_of_the_callers_own_is_refused(
    portfolio: Portfolio, session: Database, definition: str
) -> None:
    session.execute(f"CREATE TEMPORARY {definition}")
    with refused("PD020"):
        session.execute(MERGE, portfolio.customer_id)


def test_another_isolation_level_is_refused(portfolio: Portfolio, session: Database) -> None:
    session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    stage(session)
    with refused("PD001"):
        session.execute(MERGE, portfolio.customer_id)


def test_a_tenant_loads_its_own_claims_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    web = connect("claimdrift_web")
    with as_tenant(web, portfolio.customer_id) as tenant:
        stage(tenant)
        result = tenant.one(MERGE, portfolio.customer_id)
        assert (result["status"], result["rows_inserted"]) == ("completed", 1)
        assert tenant.value("SELECT count(*) FROM claim") == 1

    with as_tenant(web, portfolio.customer_id) as tenant:
        stage(tenant)
        with refused("PD003"):
            tenant.execute(MERGE, Portfolio(owner, worker).customer_id)


# Sources


def test_two_billing_systems_may_use_the_same_numbers(portfolio: Portfolio) -> None:
    load(portfolio, row(source="athena"), row(source="ecw", outcome="DENIED"), row())

    assert {c["source"]: c["outcome"] for c in portfolio.rows("claim")} == {
        "athena": "PAID",
        "ecw": "DENIED",
        "": "PAID",
    }
    assert counts(load(portfolio, row(source="ecw", decided_date="2026-02-01"))) == {"updated": 1}
    assert [c["outcome"] for c in portfolio.rows("claim") if c["source"] == "ecw"] == ["PAID"]


def test_a_row_without_a_source_has_its_files(portfolio: Portfolio) -> None:
    load(portfolio, row(), row(source="ecw"), source="athena")

    assert [c["source"] for c in portfolio.rows("claim")] == ["athena", "ecw"]
    assert portfolio.rows("upload")[-1]["source"] == "athena"


def test_a_source_is_the_same_named_by_row_or_file(portfolio: Portfolio) -> None:
    upload = load(portfolio, row(), row(source="athena"), row(source=" athena "), source="athena")

    assert counts(upload) == {"inserted": 1, "unchanged": 2}
