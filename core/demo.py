"""The demo's two practices: made-up claims in which known payers start to behave differently.

The claims follow from a seed and from the day the demo runs on, so that every run tells the same
story about the last weeks.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

HISTORY_DAYS: Final = 330
SHIFT_DAYS: Final = 14
HEADER: Final = (
    "Claim Number", "Line Number", "Patient Name", "Payer", "CPT", "Submitted Date",
    "Decided Date", "Outcome", "Billed Amount", "Allowed Amount", "Paid Amount", "Denial Code",
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """One payer's decisions on one CPT code: `per_day` of them, before and after the shift."""

    payer: str
    cpt: str
    per_day: int
    denial_rate: float
    days: int
    new_denial_rate: float | None = None
    new_days: int | None = None


@dataclass(frozen=True)
class Expected:
    """An alert that must exist, and no others."""

    payer: str
    group: str
    metric: str


@dataclass(frozen=True)
class Practice:
    """A demo customer: its claims, how its names are mapped, and what must be found."""

    slug: str
    name: str
    time_zone: str
    seed: int
    groups: tuple[Group, ...]
    mappings: dict[str, str]
    aliases: dict[str, str]
    expected: tuple[Expected, ...]
    appeals: str = ""
    bad_rows: int = 0


PRACTICES: Final = (
    Practice(
        slug="demo-harbor-family",
        name="Harbor Family Medicine",
        time_zone="America/New_York",
        seed=11,
        groups=(
            Group("Aetna", "99213", 6, 0.09, 12, new_denial_rate=0.24),
            Group("AETNA INC.", "99214", 4, 0.09, 12, new_denial_rate=0.24),
            Group("Aetna", "93000", 5, 0.06, 12),
            Group("Cigna", "99213", 7, 0.11, 11, new_days=24),
            Group("Cigna", "80053", 5, 0.05, 9),
            Group("UnitedHealthcare", "99213", 9, 0.13, 15),
            Group("UnitedHealthcare", "93000", 4, 0.10, 15),
            Group("Medicare", "99213", 8, 0.04, 14),
            Group("Medicare", "G0439", 3, 0.03, 14),
            Group("Tricare", "99213", 1, 0.20, 20),
        ),
        mappings={"99213": "Office visit", "99214": "Office visit"},
        aliases={"AETNA INC.": "Aetna"},
        expected=(
            Expected("Aetna", "Office visit", "DENIAL_RATE"),
            Expected("Cigna", "Office visit", "DECISION_DAYS"),
        ),
        appeals="UnitedHealthcare",
        bad_rows=3,
    ),
    Practice(
        slug="demo-summit-rehab",
        name="Summit Rehabilitation",
        time_zone="America/Los_Angeles",
        seed=23,
        groups=(
            Group("UnitedHealthcare", "97110", 10, 0.12, 16, new_denial_rate=0.30),
            Group("UnitedHealthcare", "97140", 5, 0.12, 16),
            Group("Blue Shield", "97110", 8, 0.08, 10),
            Group("Blue Shield", "97140", 6, 0.07, 10),
            Group("Humana", "97110", 9, 0.24, 18, new_denial_rate=0.07),
            Group("Humana", "97530", 4, 0.15, 18),
            Group("Medicare", "97110", 7, 0.05, 14),
        ),
        mappings={},
        aliases={},
        expected=(Expected("UnitedHealthcare", "97110", "DENIAL_RATE"),),
    ),
)


def claims(practice: Practice, as_of: date) -> Iterator[list[Any]]:
    """Rows for `HEADER`, as a billing system would export them, decided before `as_of`."""
    draw = random.Random(practice.seed)  # noqa: S311 (made-up claims, not secrets)
    number = 0
    for group in practice.groups:
        for age in range(HISTORY_DAYS, 0, -1):
            decided = as_of - timedelta(days=age)
            shifted = age <= SHIFT_DAYS
            rate = group.new_denial_rate if shifted else None
            days = group.new_days if shifted else None
            for _ in range(group.per_day):
                number += 1
                denied = draw.random() < (group.denial_rate if rate is None else rate)
                took = max(1, round(draw.gauss(group.days if days is None else days, 3)))
                billed = round(draw.uniform(80, 400), 2)
                submitted = decided - timedelta(days=took)
                paid = 0 if denied else round(billed * 0.6, 2)
                row = [f"{practice.seed}-{number:06}", 1, "Left, Out", group.payer, group.cpt]
                row += [submitted, decided, "DENIED" if denied else "PAID", billed]
                yield [*row, paid, paid, "CO-50" if denied else ""]
                overturned = denied and group.payer == practice.appeals and draw.random() < 0.4
                if overturned and age > 40:
                    row[6:8] = [decided + timedelta(days=draw.randint(30, 39)), "PAID"]
                    yield [*row, round(billed * 0.6, 2), round(billed * 0.6, 2), ""]
    for n in range(practice.bad_rows):
        row = [f"{practice.seed}-bad-{n}", 1, "Left, Out", "Aetna", "99213"]
        yield [*row, as_of, as_of - timedelta(days=3), "PAID", -1 if n else 90, 0, 0, ""]


def write_file(practice: Practice, as_of: date, directory: Path) -> Path:
    """Write the practice's claims as CSV."""
    file = directory / f"{practice.slug}.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows(claims(practice, as_of))
    return file
