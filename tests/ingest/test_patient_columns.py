"""Columns that look like patient data stay in the process that reads the file."""

import io
from pathlib import Path

import pytest

from core.ingest import ClaimFile
from core.ingest_header import looks_personal
from tests.acceptance.together import DatabaseUrl
from tests.conftest import run_manage
from tests.database import Database
from tests.ingest.loading import HEADER, ROW, counts, load, load_bytes
from tests.portfolio import Portfolio

PATIENT = {
    "Patient Name": "Janet Roe",
    "dob": "1961-07-09",
    "SSN": "078-05-1120",
    "MRN": "MRN00042",
    "street_address": "12 Elm Street",
    "memberId": "W123456",
    "e-mail": "janet@example.org",
}
WITH_PATIENTS = f"{HEADER},{','.join(PATIENT)}"
FULL_ROW = f"{ROW},{','.join(PATIENT.values())}"


@pytest.mark.parametrize(
    "name",
    [
        *PATIENT,
        "name",
        "first_name",
        "LastName",
        "surname",
        "Patient",
        "PatientID",
        "pt_name",
        "subscriber_id",
        "insured_name",
        "guarantor",
        "birth_date",
        "BirthDate",
        "Age",
        "Social Security No.",
        "medical_record_number",
        "ZIP",
        "postal code",
        "Cell Phone",
        "gender",
    ],
)
def test_a_name_that_looks_like_a_patients(name: str) -> None:
    assert looks_personal(name)


@pytest.mark.parametrize(
    "name",
    ["provider_name", "Facility Address", "plan name", "remark", "units", "modifier", "npi"],
)
def test_a_name_that_does_not(name: str) -> None:
    assert not looks_personal(name)


def test_the_values_are_not_even_handed_to_copy() -> None:
    content = f"{WITH_PATIENTS}\n{FULL_ROW}\n{FULL_ROW},one too many\n".encode()

    rows = b"".join(ClaimFile(io.BytesIO(content)).rows()).decode()

    assert [value for value in PATIENT.values() if value in rows] == []


def test_the_values_are_stored_nowhere_and_the_columns_are_named(
    portfolio: Portfolio, owner: Database
) -> None:
    broken = FULL_ROW.replace("PAID", "?").replace("C1", "C2")
    quoted = FULL_ROW.replace("Janet Roe", '"Janet Roe\nand ""Jim"""').replace("C1", "C3")

    upload = load(portfolio, FULL_ROW, broken, quoted, header=f"{WITH_PATIENTS},units")
    assert upload.status == "failed"  # a column is missing in each

    upload = load(portfolio, FULL_ROW, broken, quoted, header=WITH_PATIENTS)
    assert counts(upload) == {"inserted": 2, "rejected": 1}
    [*_, stored] = portfolio.rows("upload")
    assert stored["patient_columns"] == list(PATIENT)
    assert stored["ignored_columns"] == []
    tables = owner.execute(
        "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    assert len(tables) > 20
    for [table] in tables:
        for value in PATIENT.values():
            held = owner.value(
                f"SELECT count(*) FROM {table} AS t WHERE position(%s IN t::text) > 0", value
            )
            assert held == 0, (table, value)


def test_what_is_unknown_but_nobodys_secret_is_named_apart(portfolio: Portfolio) -> None:
    load_bytes(
        portfolio, f"remark,dob,{HEADER},provider_name\n?,1961-07-09,{ROW},Dr. No\n".encode()
    )

    [*_, stored] = portfolio.rows("upload")
    assert stored["patient_columns"] == ["dob"]
    assert stored["ignored_columns"] == ["remark", "provider_name"]


def test_the_report_names_the_columns_and_quotes_no_value(
    portfolio: Portfolio, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    file = tmp_path / "claims.csv"
    rows = [FULL_ROW, FULL_ROW.replace("PAID", "?"), f"{FULL_ROW},", FULL_ROW[:-30]]
    file.write_text("\n".join([WITH_PATIENTS, *rows]), encoding="utf-8")

    result = run_manage(
        "ingest",
        str(file),
        "--customer",
        portfolio.slug,
        database_url=database_url("claimdrift_worker"),
    )

    assert result.returncode == 0, result.stderr
    assert f"Left out, patient data by their names: {', '.join(PATIENT)}\n" in result.stdout
    assert [v for v in PATIENT.values() if v in result.stdout + result.stderr] == []
