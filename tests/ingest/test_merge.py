"""`ingest.merge`: what staged rows do to the claims."""

import io
from datetime import date
from typing import Any

import psycopg2
import pytest

from core.functions import Upload
from core.ingest import load_claims
from tests.conftest import Connect
from tests.portfolio import Portfolio

HEADER = "claim_number,payer,cpt,submitted_date,decided_date,outcome,billed_amount\n"
PENDING = "A-1,Aetna,99213,2026-01-02,,PENDING,100\n"
DENIED = "A-1,Aetna,99213,2026-01-02,2026-01-20,DENIED,100\n"
PAID = "A-1,Aetna,99213,2026-01-02,2026-03-01,PAID,100\n"


def load(portfolio: Portfolio, *rows: str, **options: Any) -> Upload:
    content = (HEADER + "".join(rows)).encode()
    return load_claims(
        io.BytesIO(content),
        customer_id=portfolio.customer_id,
        filename="claims.csv",
        strict=options.get("strict", False),
        correct=options.get("correct", False),
        force=options.get("force", False),
        on_read=None,
    )


def counts(upload: Upload) -> tuple[int, int, int, int, int]:
    return (
        upload.rows_inserted,
        upload.rows_updated,
        upload.rows_unchanged,
        upload.rows_stale,
        upload.rows_rejected,
    )


def test_an_appeal_keeps_the_first_determination(portfolio: Portfolio) -> None:
    for rows in (PENDING, DENIED, PAID):
        load(portfolio, rows)

    [claim] = portfolio.rows("claim")
    assert (claim["outcome"], claim["decided_date"]) == ("PAID", date(2026, 3, 1))
    assert (claim["first_outcome"], claim["first_decided_date"]) == ("DENIED", date(2026, 1, 20))


def test_one_file_is_as_good_as_three(portfolio: Portfolio) -> None:
    upload = load(portfolio, PENDING, DENIED, PAID)

    assert counts(upload) == (1, 2, 0, 0, 0)
    [claim] = portfolio.rows("claim")
    assert (claim["outcome"], claim["first_outcome"]) == ("PAID", "DENIED")


def test_an_older_decision_is_stale(portfolio: Portfolio) -> None:
    load(portfolio, PAID)

    assert counts(load(portfolio, DENIED)) == (0, 0, 0, 1, 0)
    assert counts(load(portfolio, PENDING)) == (0, 0, 0, 1, 0)
    [claim] = portfolio.rows("claim")
    assert (claim["outcome"], claim["first_outcome"]) == ("PAID", "PAID")


def test_a_correction_wins_and_resets_the_first_determination(portfolio: Portfolio) -> None:
    load(portfolio, PAID)

    assert counts(load(portfolio, DENIED, correct=True)) == (0, 1, 0, 0, 0)
    [claim] = portfolio.rows("claim")
    assert (claim["outcome"], claim["first_outcome"]) == ("DENIED", "DENIED")


def test_the_same_file_twice_is_loaded_once(portfolio: Portfolio) -> None:
    load(portfolio, DENIED)
    before = portfolio.rows("claim"), portfolio.rows("upload")

    assert load(portfolio, DENIED).status == "repeated"
    assert (portfolio.rows("claim"), portfolio.rows("upload")) == before
    assert load(portfolio, DENIED, force=True).status == "completed"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",Aetna,99213,2026-01-02,2026-01-20,PAID,1", "claim_number"),
        ("B,,99213,2026-01-02,2026-01-20,PAID,1", "payer"),
        ("B,Aetna,99213,2026-02-30,2026-03-20,PAID,1", "submitted_date"),
        ("B,Aetna,99213,2026-01-02,2026-01-01,PAID,1", "decided_date"),
        ("B,Aetna,99213,2026-01-02,,PAID,1", "decided_date"),
        ("B,Aetna,99213,2026-01-02,2026-01-20,,1", "outcome"),
        ("B,Aetna,99213,2026-01-02,2026-01-20,MAYBE,1", "outcome"),
        ("B,Aetna,99213,2026-01-02,2026-01-20,PAID,-1", "billed_amount"),
        ("B,Aetna,99213,2026-01-02,2026-01-20,PAID,99999999999", "billed_amount"),
        ("B,Aetna,99213,2026-01-02,2026-01-20,PA\0ID,1", None),
        ("B,Aetna,99213", None),
        ("B," + "x" * 1_000_000 + ",99213,2026-01-02,2026-01-20,PAID,1", None),
    ],
)
def test_a_bad_row_is_kept_with_its_reason_and_the_rest_loads(
    portfolio: Portfolio, row: str, column: str | None
) -> None:
    upload = load(portfolio, row + "\n", DENIED)

    assert counts(upload) == (1, 0, 0, 0, 1)
    [error] = [e for e in portfolio.rows("upload_error") if column in (None, e["column"])]
    assert error["line"] == 2
    assert error["message"]


def test_strict_loads_nothing_beside_a_bad_row(portfolio: Portfolio) -> None:
    upload = load(portfolio, DENIED, "B,Aetna,99213\n", strict=True)

    assert upload.status == "failed"
    assert portfolio.rows("claim") == []
    assert len(portfolio.rows("upload_error")) == 1


def test_a_staging_table_of_the_callers_own_is_refused(
    portfolio: Portfolio, connect: Connect
) -> None:
    connection = connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE staging (line bigint)")
        with pytest.raises(psycopg2.Error) as refused:
            cursor.execute(
                "SELECT ingest.merge(%s, 'f.csv', repeat('a', 64), 1)", [portfolio.customer_id]
            )
    connection.rollback()

    assert refused.value.pgcode == "PD020"
