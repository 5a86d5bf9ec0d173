"""Rows that can't be right: kept in upload_error with their reasons, never with their values."""

from typing import Any

import pytest

from tests.database import Database
from tests.ingest.loading import HEADER, ROW, counts, load, load_bytes, problems, row
from tests.portfolio import Portfolio

# What is changed in a good row, and the problems that this must cause.
BAD = [
    ({"claim_number": ""}, [("claim_number", "is missing")]),
    ({"claim_number": "   "}, [("claim_number", "is missing")]),
    ({"claim_number": "C" * 65}, [("claim_number", "is longer than 64 characters")]),
    ({"line_number": "0"}, [("line_number", "isn't a whole number from 1 to 9999")]),
    ({"line_number": "10000"}, [("line_number", "isn't a whole number from 1 to 9999")]),
    ({"line_number": "1.0"}, [("line_number", "isn't a whole number from 1 to 9999")]),
    ({"line_number": "-1"}, [("line_number", "isn't a whole number from 1 to 9999")]),
    ({"payer": ""}, [("payer", "is missing")]),
    ({"payer": "x" * 201}, [("payer", "is longer than 200 characters")]),
    ({"cpt": " "}, [("cpt", "is missing")]),
    (
        {"cpt": "99213 modifier"},
        [("cpt", "isn't a procedure code: 1 to 20 letters, digits, dots or hyphens")],
    ),
    ({"submitted_date": ""}, [("submitted_date", "is missing")]),
    *(
        (
            {"submitted_date": value},
            [("submitted_date", "isn't a calendar date written YYYY-MM-DD")],
        )
        for value in ("01/05/2026", "2026-02-30", "2026-1-5", "20260105", "today", "2026-00-01")
    ),
    ({"submitted_date": "1989-12-31"}, [("submitted_date", "is before 1990-01-01")]),
    (
        {"decided_date": "2026-04-31"},
        [("decided_date", "isn't a calendar date written YYYY-MM-DD")],
    ),
    ({"decided_date": "infinity"}, [("decided_date", "isn't a calendar date written YYYY-MM-DD")]),
    ({"decided_date": "2199-01-01"}, [("decided_date", "is more than a year ahead")]),
    ({"decided_date": "2026-01-04"}, [("decided_date", "is before submitted_date")]),
    ({"decided_date": ""}, [("decided_date", "is missing although the claim was decided")]),
    (
        {"decided_date": "", "outcome": "DENIED"},
        [("decided_date", "is missing although the claim was decided")],
    ),
    ({"outcome": "PENDING"}, [("decided_date", "is given although the claim is pending")]),
    ({"outcome": ""}, [("outcome", "is missing")]),
    ({"outcome": "", "decided_date": ""}, [("outcome", "is missing")]),
    ({"outcome": "SETTLED"}, [("outcome", "isn't PAID, DENIED or PENDING")]),
    *(
        ({column: value}, [(column, message)])
        for column in ("billed_amount", "allowed_amount", "paid_amount")
        for value, message in (
            ("-0.01", "is negative"),
            ("10000000", "is above 9,999,999.99"),
            ("9" * 400, "is above 9,999,999.99"),
            ("1.005", "isn't an amount: digits, and at most two after a decimal point"),
            ("1e3", "isn't an amount: digits, and at most two after a decimal point"),
            ("NaN", "isn't an amount: digits, and at most two after a decimal point"),
            ("$12", "isn't an amount: digits, and at most two after a decimal point"),
        )
    ),
    ({"denial_code": "CO 16!"}, [("denial_code", "isn't 1 to 20 letters, digits or hyphens")]),
    ({"denial_code": "X" * 21}, [("denial_code", "isn't 1 to 20 letters, digits or hyphens")]),
    ({"payer": "Aet\0na"}, [("payer", "contains a NUL byte")]),
    ({"claim_number": "C\x1b1"}, [("claim_number", "contains a control character")]),
    ({"claim_number": '"C\n1"'}, [("claim_number", "contains a control character")]),
    ({"claim_number": "C\t1"}, [("claim_number", "contains a control character")]),
    ({"payer": "x" * 1_000_000}, [("", "is longer than 64 KiB")]),
    ({"source": "s" * 65}, [("source", "is longer than 64 characters")]),
    ({"source": '"a\nb"'}, [("source", "contains a control character")]),
    ({"payer": 'Aetna,"Gold"'}, [("", "has 13 columns instead of 12")]),
    ({"payer": '"Aet"na'}, [("", "has quotes that don't enclose a whole value")]),
    (
        {"claim_number": "", "outcome": "?", "paid_amount": "-1"},
        [
            ("claim_number", "is missing"),
            ("outcome", "isn't PAID, DENIED or PENDING"),
            ("paid_amount", "is negative"),
        ],
    ),
]


def named(case: Any) -> str:
    return ",".join(f"{name}={value[:20]!a}" for name, value in case[0].items())


@pytest.mark.parametrize(("changes", "expected"), BAD, ids=map(named, BAD))
def test_a_bad_row_is_kept_with_line_column_and_reason_and_the_rest_loads(
    portfolio: Portfolio, changes: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    upload = load(portfolio, row(claim_number="B1"), row(**changes), row(claim_number="B2"))

    assert upload.status == "completed"
    assert counts(upload) == {"inserted": 2, "rejected": 1}
    assert problems(portfolio) == [(3, column, message) for column, message in expected]
    assert [claim["claim_number"] for claim in portfolio.rows("claim")] == ["B1", "B2"]


@pytest.mark.parametrize("line", ["C9,1,Aetna", "C9", ",".join(ROW.split(",")[:-1])])
def test_too_few_columns_are_counted(portfolio: Portfolio, line: str) -> None:
    upload = load(portfolio, line, row())

    assert counts(upload) == {"inserted": 1, "rejected": 1}
    number = line.count(",") + 1
    assert problems(portfolio) == [(2, "", f"has {number} columns instead of 12")]


def test_a_row_in_another_encoding_is_rejected(portfolio: Portfolio) -> None:
    lines = [HEADER, row(claim_number="C2", payer="Krankenkasse Köln"), row()]
    latin = [line.encode("latin-1") for line in lines]

    assert counts(load_bytes(portfolio, b"\n".join(latin))) == {"inserted": 1, "rejected": 1}
    assert problems(portfolio) == [(2, "payer", "isn't UTF-8")]


@pytest.mark.parametrize(
    ("changes", "column", "value"),
    [
        ({"line_number": " 007 "}, "line_number", 7),
        ({"payer": "  Aetna   Gold  "}, "payer_name", "Aetna Gold"),
        ({"cpt": " g0438 "}, "cpt", "G0438"),
        ({"outcome": " paid"}, "outcome", "PAID"),
        ({"claim_number": " C7 "}, "claim_number", "C7"),
        ({"denial_code": "co-16"}, "denial_code", "CO-16"),
        ({"denial_code": "  "}, "denial_code", None),
        ({"billed_amount": ""}, "billed_amount", None),
    ],
)
def test_what_is_only_written_carelessly_is_no_problem(
    portfolio: Portfolio, changes: dict[str, str], column: str, value: Any
) -> None:
    assert counts(load(portfolio, row(**changes))) == {"inserted": 1}
    [claim] = portfolio.rows("claim")
    assert claim[column] == value


@pytest.mark.parametrize("amount", ["0", "0.5", "0.00", "9999999.99"])
def test_amounts_at_the_limits_are_right(portfolio: Portfolio, amount: str) -> None:
    assert counts(load(portfolio, row(billed_amount=amount))) == {"inserted": 1}


def test_a_date_up_to_a_year_ahead_is_right(portfolio: Portfolio, owner: Database) -> None:
    next_year = owner.value("SELECT ((now() AT TIME ZONE 'UTC')::date + interval '1 year')::date")

    assert counts(load(portfolio, row(decided_date=str(next_year)))) == {"inserted": 1}


def test_a_payer_that_only_a_bad_row_names_is_not_created(portfolio: Portfolio) -> None:
    load(portfolio, row(), row(payer="Typo", cpt="99999", outcome="?"))

    assert [payer["name"] for payer in portfolio.rows("payer")] == ["Aetna"]
    assert [group["name"] for group in portfolio.rows("cpt_group")] == ["99213"]


def test_a_file_of_bad_rows_only_has_failed_and_may_come_again(portfolio: Portfolio) -> None:
    for _ in range(2):
        upload = load(portfolio, row(outcome="?"), row(cpt=""))

        assert (upload.status, upload.error) == ("failed", "every row was rejected")
        assert (upload.rows_total, upload.rows_rejected) == (2, 2)
    assert portfolio.rows("claim") == portfolio.rows("payer") == []
    assert len(problems(portfolio)) == 4


def test_the_value_is_stored_nowhere(portfolio: Portfolio, owner: Database) -> None:
    value = "Jane Doe 123-45-6789"
    changes = [{column: value} for column in HEADER.split(",") if column not in HIDES]
    upload = load(portfolio, *(row(**change) for change in changes), value, row())

    assert upload.rows_rejected == len(changes) + 1
    for table in ("upload", "upload_error", "claim", "payer", "payer_alias", "cpt_group"):
        assert value not in str(portfolio.rows(table)), table


# Any text is a name or a number here.
HIDES = ("claim_number", "payer", "source")


def test_a_bad_row_of_a_claim_line_leaves_its_good_rows_alone(portfolio: Portfolio) -> None:
    denied = row(outcome="DENIED", decided_date="2026-01-10")

    upload = load(portfolio, denied, row(paid_amount="-1"), row())

    assert counts(upload) == {"inserted": 1, "updated": 1, "rejected": 1}
    [claim] = portfolio.rows("claim")
    assert (claim["first_outcome"], claim["outcome"]) == ("DENIED", "PAID")
