"""Files in which claim lines occur several times, against rows applied one by one in Python."""

import random
from datetime import date, timedelta
from typing import Any

import pytest

from tests.ingest.loading import HEADER, counts, load
from tests.ingest.oracle import Key, OneByOne
from tests.portfolio import Portfolio

COLUMNS = (
    "payer_name",
    "cpt",
    "submitted_date",
    "decided_date",
    "outcome",
    "first_decided_date",
    "first_outcome",
    "paid_amount",
    "denial_code",
)
START = date(2026, 1, 1)


def random_row(rng: random.Random, amounts: bool) -> dict[str, Any]:
    submitted = START + timedelta(rng.randrange(4))
    outcome = rng.choice(("PAID", "DENIED", "PENDING", "PAID"))
    decided = None if outcome == "PENDING" else submitted + timedelta(rng.randrange(4))
    return {
        "payer_name": rng.choice(("Aetna", "Cigna")),
        "cpt": rng.choice(("99213", "99214")),
        "submitted_date": submitted,
        "decided_date": decided,
        "outcome": outcome,
        "paid_amount": rng.choice((None, 10)) if amounts else None,
        "denial_code": rng.choice((None, "CO-16")) if outcome == "DENIED" else None,
    }


def as_csv(key: Key, row: dict[str, Any]) -> str:
    values = {
        "source": key[0],
        "claim_number": key[1],
        "line_number": key[2],
        "payer": row["payer_name"],
        **{name: value for name, value in row.items() if name != "payer_name"},
    }
    return ",".join(
        "" if values.get(column) is None else str(values.get(column, ""))
        for column in HEADER.split(",")
    )


def check_against_one_by_one(portfolio: Portfolio, seed: int) -> None:
    """Load a few random files, each over the claims that the former ones left."""
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    oracle = OneByOne()
    keys = [
        (source, f"C{n}", line)
        for source in rng.choice((("",), ("", "athena")))
        for n in range(rng.choice((1, 3, 12)))
        for line in (1, 2)
    ]
    for _ in range(4):
        correct = rng.random() < 0.25
        amounts = rng.random() < 0.5
        file = [(rng.choice(keys), random_row(rng, amounts)) for _ in range(rng.choice((1, 4, 20)))]
        oracle.counts = {}
        for key, row in file:
            oracle.apply(key, row, correct=correct)
        upload = load(
            portfolio, *(as_csv(key, row) for key, row in file), correct=correct, force=True
        )
        assert counts(upload) == oracle.counts
        stored = {
            (claim["source"], claim["claim_number"], claim["line_number"]): {
                column: claim[column] for column in COLUMNS
            }
            for claim in portfolio.rows("claim")
        }
        assert stored == oracle.claims


@pytest.mark.parametrize("seed", range(40))
def test_a_file_means_what_its_rows_mean_one_by_one(portfolio: Portfolio, seed: int) -> None:
    check_against_one_by_one(portfolio, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_many_files_mean_what_their_rows_mean_one_by_one(portfolio: Portfolio, seed: int) -> None:
    check_against_one_by_one(portfolio, seed)
