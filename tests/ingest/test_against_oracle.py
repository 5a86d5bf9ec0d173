"""Random files, good and bad, in every dialect, against the rules in plain Python."""

import codecs
import csv
import gzip
import io
import random
from decimal import Decimal
from typing import Any

import pytest

from tests.ingest.loading import HEADER, counts, load_bytes
from tests.ingest.oracle import OneByOne, clean
from tests.portfolio import Portfolio

COLUMNS = HEADER.split(",")
REQUIRED = {"claim_number", "payer", "cpt", "submitted_date", "decided_date", "outcome"}
EXTRA = ("dob", "remark", "Patient Name")

# What a column may hold; a good value is likelier than it looks, since one bad one spoils a row.
GOOD = {
    "claim_number": [*(f"C{n}" for n in range(12)), " C1 ", "é-3", '5"x', "c;1", "c,1"],
    "source": ["", "athena", " athena ", "Epic, East", "Ärzte", "x" * 64],
    "line_number": ["", "1", "2", "02", " 1"],
    "payer": ["Aetna", "AETNA", " Aetna  Life", "Cigna; Inc.", 'The "Blue"', "Ätna", "two\nlines"],
    "cpt": ["99213", "g0438", " 99214 ", "A.1-B"],
    "submitted_date": ["2026-01-05", "2026-01-06", " 2026-01-07"],
    "decided_date": ["2026-01-08", "2026-01-09 ", "2026-01-10"],
    "outcome": ["PAID", "denied", " Paid ", "DENIED"],
    "billed_amount": ["", "120", "120.00", "0.5", "9999999.99"],
    "allowed_amount": ["", "80"],
    "paid_amount": ["", "80.0", "0"],
    "denial_code": ["", "CO-16", "co-16", "45"],
}
BAD = {
    "claim_number": ["", "  ", "a\tb", "a\nb"],
    "source": ["a\tb", "a\nb", "x" * 65],
    "line_number": ["0", "x", "10000", "1.5"],
    "payer": ["", " "],
    "cpt": ["", "99 213", "x" * 21, "-1"],
    "submitted_date": ["", "2026-02-30", "1/5/2026", "1850-01-01", "2999-01-01"],
    "decided_date": ["", "2026-01-01", "soon", "infinity"],
    "outcome": ["", "OPEN", "PENDING", "PAIDX"],
    "billed_amount": ["-1", "1.234", "1e5", "12345678", "NaN"],
    "allowed_amount": ["-0.01", "$5"],
    "paid_amount": ["5,00", "."],
    "denial_code": ["CO 16", "é", "x" * 21],
}


def random_values(rng: random.Random, bad: float) -> dict[str, str]:
    values = {name: rng.choice(BAD[name] if rng.random() < bad else GOOD[name]) for name in COLUMNS}
    if rng.random() < 0.2:
        values |= {"outcome": "pending", "decided_date": rng.choice(("", " "))}
    return values


def random_file(rng: random.Random) -> tuple[bytes, list[tuple[int, dict[str, str]]]]:
    """A file's bytes, and its rows with the number of the line on which each begins."""
    present = [name for name in COLUMNS if name in REQUIRED or rng.random() < 0.8]
    columns = present + [name for name in EXTRA if rng.random() < 0.3]
    rng.shuffle(columns)
    end = rng.choice(("\n", "\r\n"))
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer,
        delimiter=rng.choice((",", ";", "\t")),
        lineterminator=end,
        quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    )
    writer.writerow(name.upper() if rng.random() < 0.5 else name for name in columns)
    rows = []
    bad = rng.choice((0.0, 0.01, 0.05))
    for _ in range(rng.choice((1, 5, 60))):
        if rng.random() < 0.05:
            buffer.write(end)
        values = random_values(rng, bad)
        rows.append((buffer.getvalue().count("\n") + 1, values))
        rows[-1][1].update({name: "" for name in COLUMNS if name not in present})
        writer.writerow(values.get(name, "Jane") for name in columns)
    content = buffer.getvalue().encode()
    if rng.random() < 0.3:
        content = codecs.BOM_UTF8 + content
    return (gzip.compress(content) if rng.random() < 0.3 else content), rows


def comparable(claim: dict[str, Any]) -> dict[str, Any]:
    """A claim of either side, amounts as numbers."""
    return {
        name: Decimal(value) if name.endswith("_amount") and value is not None else value
        for name, value in claim.items()
        if name not in ("source", "claim_number", "line_number")
    }


def check_against_oracle(portfolio: Portfolio, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    oracle = OneByOne()
    for _ in range(4):
        content, rows = random_file(rng)
        correct = rng.random() < 0.25
        source = rng.choice(("", "", "athena"))
        oracle.counts = {}
        problems: set[tuple[int, str]] = set()
        for line, values in rows:
            row, bad = clean(values)
            problems |= {(line, column) for column in bad}
            if bad:
                oracle.counts["rejected"] = oracle.counts.get("rejected", 0) + 1
                continue
            key = (
                row.pop("source") or source,
                row.pop("claim_number"),
                row.pop("line_number") or 1,
            )
            row["payer_name"] = row.pop("payer")
            oracle.apply(key, comparable(row), correct=correct)
        upload = load_bytes(portfolio, content, correct=correct, force=True, source=source)
        assert counts(upload) == oracle.counts
        assert upload.status == ("failed" if set(oracle.counts) == {"rejected"} else "completed")
        found = [e for e in portfolio.rows("upload_error") if e["upload_id"] == upload.upload_id]
        assert {(error["line"], error["column"]) for error in found} == problems
        assert len(found) == len(problems)
        stored = {
            (claim["source"], claim["claim_number"], claim["line_number"]): comparable(claim)
            for claim in portfolio.rows("claim")
        }
        assert stored.keys() == oracle.claims.keys()
        for key, expected in oracle.claims.items():
            assert {name: stored[key][name] for name in expected} == expected, key
    # Each name is one payer, in whatever case, and each code one group.
    payers = {claim["payer_name"].lower() for claim in oracle.claims.values()}
    assert {payer["name"].lower() for payer in portfolio.rows("payer")} >= payers
    for claim in portfolio.rows("claim"):
        [payer] = [p for p in portfolio.rows("payer") if p["id"] == claim["payer_id"]]
        assert payer["name"].lower() == claim["payer_name"].lower()


@pytest.mark.parametrize("seed", range(30))
def test_a_random_file_means_what_the_rules_say(portfolio: Portfolio, seed: int) -> None:
    check_against_oracle(portfolio, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_many_random_files_mean_what_the_rules_say(portfolio: Portfolio, seed: int) -> None:
    check_against_oracle(portfolio, seed)
