"""The header of a file of claims: which column is where, and which are nobody's business here."""

import csv
import re
from dataclasses import dataclass
from typing import Final

REQUIRED: Final = ("claim_number", "payer", "cpt", "submitted_date", "decided_date", "outcome")
OPTIONAL: Final = (
    "source",
    "line_number",
    "billed_amount",
    "allowed_amount",
    "paid_amount",
    "denial_code",
)
SEPARATORS: Final = (",", ";", "\t")

_KNOWN: Final = {name.replace("_", ""): name for name in REQUIRED + OPTIONAL}
_NAME_LENGTH: Final = 63

# Words in a column's name: a patient for sure; somebody else; whoever the others say it is.
_PATIENT: Final = re.compile(
    r"\b(patient|pt|member|subscriber|insured|beneficiary|guarantor|dependent|mrn|ssn|dob)\b"
)
_NOT_PATIENT: Final = re.compile(
    r"\b(payer|provider|physician|facility|practice|clinic|plan|carrier|insurance|billing|file)\b"
)
_PERSONAL: Final = re.compile(
    r"\b((first|last|full|middle|sur)?name|first|last|birth(date|day)?|age|social|security"
    r"|medical|record|addr(ess)?|street|city|state|zip(code)?|post(al|code)|phone|telephone"
    r"|mobile|cell|fax|e?mail|gender|sex|race|ethnicity|language|marital)\b"
)


class ClaimFileError(Exception):
    """The file as a whole can't be read; the message says why and what to do."""


@dataclass(frozen=True)
class Header:
    """What the first line says.

    `columns` are the known columns in the file's order, `indexes` where they are among its `width`
    columns. The others are named as the file does, apart by whether they look like a patient's.
    """

    separator: str
    width: int
    columns: tuple[str, ...]
    indexes: tuple[int, ...]
    ignored_columns: tuple[str, ...]
    patient_columns: tuple[str, ...]


def read_header(line: bytes) -> Header:
    """Parse the first line. Raises ClaimFileError, never quoting it: it may be a row of data."""
    try:
        text = line.decode().removesuffix("\r")
    except UnicodeDecodeError:
        raise ClaimFileError("The header isn't UTF-8. Save the file as CSV in UTF-8.") from None
    if "\r" in text:
        raise ClaimFileError("The lines end in a carriage return alone. Save them with line feeds.")
    separator, names = max(
        ((separator, _split(text, separator)) for separator in SEPARATORS),
        key=lambda split: sum(_known(name) is not None for name in split[1]),
    )
    known = [_known(name) for name in names]
    columns = tuple(name for name in known if name is not None)
    if missing := [name for name in REQUIRED if name not in columns]:
        raise ClaimFileError(
            f"The first line must be a header; it lacks {', '.join(missing)}."
            f" Needed are {', '.join(REQUIRED)}; {', '.join(OPTIONAL)} may be there."
        )
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise ClaimFileError(f"The header has {', '.join(repeated)} more than once.")
    others = [
        _printable(name) or f"column {number}"
        for number, (name, column) in enumerate(zip(names, known, strict=True), 1)
        if column is None
    ]
    return Header(
        separator=separator,
        width=len(names),
        columns=columns,
        indexes=tuple(index for index, column in enumerate(known) if column is not None),
        ignored_columns=tuple(name for name in others if not looks_personal(name)),
        patient_columns=tuple(name for name in others if looks_personal(name)),
    )


def looks_personal(name: str) -> bool:
    """Whether a column of this name probably holds patient data."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]", " ", name)
    words = spaced.lower()
    if _PATIENT.search(words):
        return True
    return bool(_PERSONAL.search(words)) and not _NOT_PATIENT.search(words)


def _split(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        return []


def _known(name: str) -> str | None:
    return _KNOWN.get(re.sub(r"[\W_]", "", name).lower())


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else " " for c in name).strip()[:_NAME_LENGTH]
