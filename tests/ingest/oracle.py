"""The rules of the import in plain Python, one row after the other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

Key = tuple[str, str, int]
FIRST_DAY = date(1990, 1, 1)


@dataclass
class OneByOne:
    """The rules, as a reader of the documentation would apply them: one row after the other."""

    claims: dict[Key, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def apply(self, key: Key, row: dict[str, Any], *, correct: bool) -> None:
        state = self._apply(key, row, correct)
        self.counts[state] = self.counts.get(state, 0) + 1

    def _apply(self, key: Key, row: dict[str, Any], correct: bool) -> str:
        stored = self.claims.get(key)
        new = row | {
            "first_decided_date": row["decided_date"],
            "first_outcome": row["outcome"] if row["decided_date"] else None,
        }
        if stored is None:
            self.claims[key] = new
            return "inserted"
        if not correct:
            if stored["decided_date"] and (
                row["decided_date"] is None or row["decided_date"] < stored["decided_date"]
            ):
                return "stale"
            if stored["first_outcome"]:
                new |= {
                    name: stored[name]
                    for name in ("submitted_date", "first_decided_date", "first_outcome")
                }
        if new == stored:
            return "unchanged"
        self.claims[key] = new
        return "updated"


def clean(values: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    """A row of the file as claims hold it, and the columns that can't be right."""
    text = {name: value.strip() or None for name, value in values.items()}
    bad = {
        name
        for name in ("claim_number", "payer", "cpt", "submitted_date", "outcome")
        if text[name] is None
    }
    row: dict[str, Any] = dict(text)
    if text["claim_number"] and re.search(r"[\t\n]", text["claim_number"]):
        bad.add("claim_number")
    row["source"] = text["source"] or ""
    if re.search(r"[\t\n]", row["source"]) or len(row["source"]) > 64:
        bad.add("source")
    if text["line_number"] is not None:
        if re.fullmatch(r"[0-9]+", text["line_number"]) and 1 <= int(text["line_number"]) <= 9999:
            row["line_number"] = int(text["line_number"])
        else:
            bad.add("line_number")
    row["payer"] = " ".join(values["payer"].split())
    row["cpt"] = (text["cpt"] or "").upper()
    if text["cpt"] and not re.fullmatch(r"[A-Z0-9][A-Z0-9.-]{0,19}", row["cpt"]):
        bad.add("cpt")
    for name in ("submitted_date", "decided_date"):
        row[name] = _day(text[name])
        if text[name] is not None and not (
            row[name] and FIRST_DAY <= row[name] <= date.today() + timedelta(365)
        ):
            bad.add(name)
    row["outcome"] = (text["outcome"] or "").upper()
    if row["outcome"] not in ("PAID", "DENIED", "PENDING"):
        bad.add("outcome")
    elif (text["decided_date"] is None) != (row["outcome"] == "PENDING"):
        bad.add("decided_date")
    if (
        row["submitted_date"]
        and row["decided_date"]
        and row["decided_date"] < row["submitted_date"]
    ):
        bad.add("decided_date")
    for name in ("billed_amount", "allowed_amount", "paid_amount"):
        if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,2})?", text[name] or "0"):
            bad.add(name)
    if text["denial_code"] is not None:
        row["denial_code"] = text["denial_code"].upper()
        if not re.fullmatch(r"[A-Z0-9-]{1,20}", row["denial_code"]):
            bad.add("denial_code")
    return row, bad


def _day(text: str | None) -> date | None:
    if text is None or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
