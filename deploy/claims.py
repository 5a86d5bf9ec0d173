"""Made-up claims of a payer that begins to deny nearly everything: what the smoke uploads."""

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from io import StringIO
from typing import Final

HEADER: Final = (
    "claim_number", "payer", "cpt", "submitted_date", "decided_date", "outcome", "billed_amount",
)  # fmt: skip
# The baseline is half a year, and ends eight weeks ago; this much history has all of it.
_HISTORY_DAYS: Final = 252
_SHIFT_DAYS: Final = 14
# More than the 30 that a window needs, less than the 30 in 14 days from which on a silence counts:
# payers of earlier smokes fall silent.
_BEFORE: Final = 14
_NOW: Final = 56


def drifting(payer: str, prefix: str, today: date) -> bytes:
    """A file of claims on one payer; the numbers begin with the prefix."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    for number, (age, outcome) in enumerate(_decisions(), 1):
        decided = today - timedelta(days=age)
        submitted = decided - timedelta(days=12)
        writer.writerow(
            [f"{prefix}-{number}", payer, "99213", submitted, decided, outcome, "120.00"]
        )
    return file.getvalue().encode()


def _decisions() -> Iterator[tuple[int, str]]:
    """Ages in days, and outcomes: one in fourteen is denied before, then nine of ten."""
    for age in range(_HISTORY_DAYS, _SHIFT_DAYS, -1):
        yield age, "DENIED" if age % _BEFORE == 0 else "PAID"
    for number in range(_NOW):
        yield 1 + number % _SHIFT_DAYS, "PAID" if number % 10 == 0 else "DENIED"
