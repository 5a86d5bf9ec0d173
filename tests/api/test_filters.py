"""Filters, search and ordering of every list: each finds what its name says, and nothing else is
taken. What is to be found is told by a second implementation, in Python over all rows.
"""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from api import filters
from tests.api.archive import Archive
from tests.api.client import Api
from tests.api.lists import (
    COUNTED,
    LISTS,
    STORED,
    Listing,
    Row,
    column_of,
    condition,
    each_list,
    ids,
    in_order,
    text_of,
)

FILTERS = [(listing, name) for listing in LISTS for name in listing.filters]
# Those of whose rows all have the same value there.
UNIFORM = {
    ("drift-events/active", "withdrawn"),
    ("drift-events/active", "current_end_after"),
    ("drift-events/active", "current_end_before"),
}


def each_filter(pairs: list[tuple[Listing, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("listing", "name"),
        [pytest.param(listing, name, id=f"{listing.name}-{name}") for listing, name in pairs],
    )


def in_store(pairs: list[tuple[Listing, str]]) -> list[tuple[Listing, str]]:
    return [(listing, name) for listing, name in pairs if listing.name != COUNTED]


def values_for(name: str, rows: list[Row]) -> list[Any]:
    """Values of a parameter that choose some of the rows, but not all of them."""
    if name in {"whole_payer", "merged"}:
        candidates: list[Any] = [True, False]
    else:
        found = sorted({row[column_of(name, rows)] for row in rows} - {None, ""})
        candidates = list(pairwise(found)) if name.endswith("__in") else found
    holds = condition(name, rows)
    return [value for value in candidates if 0 < sum(holds(row, value) for row in rows) < len(rows)]


@each_filter(in_store(FILTERS))
def test_a_filter_finds_what_its_name_says(
    archive: Archive, superuser: Api, listing: Listing, name: str
) -> None:
    rows = listing.rows(archive)
    holds = condition(name, rows)
    values = values_for(name, rows)
    if (listing.name, name) in UNIFORM:
        values = [rows[0][column_of(name, rows)]]
    assert values, "the archive's rows are all alike"

    for value in (values[0], values[len(values) // 2], values[-1]):
        expected = in_order([row for row in rows if holds(row, value)], listing.default_ordering)
        url = listing.url(archive, page_size=100, **{name: text_of(value)})
        assert ids(listing.api(archive, superuser).pages(url)) == ids(expected), url


@each_list()
def test_filters_and_search_all_hold_at_once(
    archive: Archive, superuser: Api, listing: Listing
) -> None:
    rows = listing.rows(archive)
    row = rows[len(rows) // 2]
    chosen: dict[str, Any] = {}
    for name in listing.filters:
        column = column_of(name, rows)
        value: Any = row[column]
        if name in {"whole_payer", "merged"}:
            value = (value is None) == (name == "whole_payer")
        elif name.endswith("__in"):
            value = (value,)
        if value not in (None, (None,), ""):
            chosen[name] = value
    expected = [
        other
        for other in rows
        if all(condition(name, rows)(other, value) for name, value in chosen.items())
    ]

    parameters = {name: text_of(value) for name, value in chosen.items()}
    url = listing.url(archive, page_size=100, ordering="id", **parameters)
    assert row["id"] in ids(expected)
    found = listing.api(archive, superuser).pages(url)
    assert sorted(ids(found)) == ids(expected)


# Invalid values

ANY = ["", " ", "a\0b", "\0"]
# No numbers, whatever Python or PostgreSQL thinks.
NUMBERS = ["abc", "-1", "1e9", "1_0", "٣", " 7", "7 ", "+7", "NaN", "Infinity", "0x10", "²", "null"]
WHOLE = [*NUMBERS, str(2**63), str(2**64), "9" * 5000, "7.0", "1.5", "true"]
SQL = ["' OR 1=1 --", "1; DROP TABLE claim", "1) OR (1=1", "%", "_", "\\", "' || pg_sleep(9) --"]
REST = [*SQL, "x" * 5000]
INVALID: dict[type[Any], list[str]] = {
    filters.IdFilter: [*WHOLE, *REST, "1,2", "0"],
    filters.WholeFilter: [*WHOLE, *REST, "1,2"],
    filters.IdListFilter: [
        *WHOLE, *REST, ",", "1,", ",1", "1,,2", "1, 2", "1,x", ",".join(map(str, range(101))),
    ],
    filters.ChoiceFilter: [*REST, "colour", "null", "None", "0"],
    filters.WordListFilter: [*REST, "colour", ",", "null"],
    filters.FlagFilter: [*REST, "True", "TRUE", "1", "0", "yes", "null", "on"],
    filters.PresenceFilter: [*REST, "True", "1", "0", "null"],
    filters.ShareFilter: [
        *NUMBERS, *REST, "7", "1.0001", "-0.1", "1e999", "-Infinity", "0,5", ".", "1e", "9" * 5000,
    ],
    filters.TextFilter: ["x" * 201, "x" * 5000],
    filters.DateFilter: [
        *REST, "2026-02-30", "2026-13-01", "2026-1-5", "20260105", "0000-01-01", "10000-01-01",
        "10/25/2026", "Oct 25 2026", "2026-W01-1", "2026-001", "2026-01-01T00:00:00Z", "today",
        "infinity", "٢٠٢٦-01-01", "-2026-01-01", "now", "2026-01-01 BC",
    ],
    filters.TimeFilter: [
        *REST, "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "now", "infinity",
        "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00+25:00",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00Z",
        "1767225600", "2026-01-01 00:00:00+00:00", "٢٠٢٦-01-01T00:00:00Z",
    ],
}  # fmt: skip


@each_filter(FILTERS)
def test_a_bad_value_is_refused_and_what_is_allowed_is_said(
    archive: Archive, superuser: Api, listing: Listing, name: str
) -> None:
    api = listing.api(archive, superuser)
    declared = listing.filters[name]
    bad = INVALID[type(declared)]

    for value in bad + ANY:
        answer = api.get(listing.url(archive, **{name: value}))
        assert answer.status == 400, (value, answer.content)
        assert answer.code == "validation_error"
        assert answer.blamed() == {name}, value
        [error] = answer.json["errors"]
        if value in bad:
            assert error["detail"] == declared.says
        assert len(value) < 4 or value not in answer.content.decode()
    twice = api.get(listing.url(archive) + "?" + urlencode([(name, "1"), (name, "1")]))
    assert twice.status == 400
    assert twice.blamed() == {name}


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (filters.IdFilter, ["whole number"]),
        (filters.WholeFilter, ["whole number"]),
        (filters.IdListFilter, ["100", "commas"]),
        (filters.FlagFilter, ["true", "false"]),
        (filters.ShareFilter, ["0", "1"]),
        (filters.TextFilter, ["200"]),
        (filters.DateFilter, ["YYYY-MM-DD"]),
        (filters.TimeFilter, ["time zone", "2026-11-24T09:30:00Z"]),
    ],
)
def test_what_is_allowed_is_said_in_words(declared: Any, words: list[str]) -> None:
    assert all(word in declared.says for word in words)


@each_filter([(x, n) for x, n in FILTERS if hasattr(x.filters[n], "words")])
def test_a_choice_names_all_its_words(listing: Listing, name: str) -> None:
    declared = listing.filters[name]

    assert len(declared.words) > 1
    assert all(word in declared.says for word in declared.words)


@pytest.mark.parametrize(
    ("parameter", "text", "same"),
    [
        ("created_at_after", "2026-03-01T12:00:00.123456Z", "2026-03-01T13:00:00.123456+01:00"),
        ("created_at_after", "2026-03-01T12:00:00.123456z", "2026-03-01t12:00:00.123456Z"),
        ("created_at_after", "0001-01-01T00:00:00Z", "1900-01-01T00:00:00.123456789-05:00"),
        ("created_at_before", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999+14:00"),
    ],
)
def test_moments_are_compared_as_moments(
    archive: Archive, parameter: str, text: str, same: str
) -> None:
    found = [
        archive.admin.get(f"/uploads?page_size=1&{parameter}={quote(value)}").json["count"]
        for value in (text, same)
    ]

    assert found[0] == found[1] > 0


def test_both_ends_of_a_range_belong_to_it(archive: Archive) -> None:
    moments = sorted(row["created_at"] for row in archive.rows("upload"))
    moment = quote(moments[8].astimezone(UTC).isoformat())

    found = archive.admin.get(
        f"/uploads?created_at_after={moment}&created_at_before={moment}&page_size=100"
    ).results

    assert len(found) == moments.count(moments[8]) > 1


def test_an_id_of_nobody_finds_nothing_and_the_largest_is_no_mistake(archive: Archive) -> None:
    for value in (10**17, 10**18 - 1):
        answer = archive.admin.get(f"/claims?payer={value}")
        assert (answer.status, answer.json["count"], answer.results) == (200, 0, [])


# Parameters that there aren't


@each_list(LISTS)
def test_an_unknown_parameter_is_refused_and_those_that_there_are_are_named(
    archive: Archive, superuser: Api, listing: Listing
) -> None:
    api = listing.api(archive, superuser)
    known = {"cursor", "ordering", "page_size", "search", *listing.filters}

    for name in ("colour", "limit", "offset", "page", "format", "Search", "id__in", "a.b", "näme"):
        answer = api.get(listing.url(archive, **{name: "1"}))
        assert (answer.status, answer.code) == (400, "validation_error"), name
        assert answer.blamed() == {name}
        [error] = answer.json["errors"]
        named = error["detail"].split(": ")[1].rstrip(".").split(", ")
        assert set(named) == known

    both = api.get(listing.url(archive, colour="1", flavour="2"))
    assert both.blamed() == {"colour", "flavour"}


@pytest.mark.parametrize(
    "path", ["/auth/me", "/claims/1", "/payers/1", "/alerts/1/explanation", "/customers/1"]
)
def test_what_is_no_list_takes_no_parameters(archive: Archive, path: str) -> None:
    answer = archive.admin.get(f"{path}?search=x&page_size=2")

    assert answer.status == 400
    assert answer.blamed() == {"search", "page_size"}
    assert all("Those that there are: none." in e["detail"] for e in answer.json["errors"])


def test_a_write_takes_no_parameters(archive: Archive) -> None:
    answer = archive.admin.request("POST", "/payers?name=x", {"name": "nobody's"})

    assert answer.status == 400
    assert answer.blamed() == {"name"}
    assert all(row["name"] != "nobody's" for row in archive.rows("payer"))


# Search

# Columns, and whether the text may begin anywhere in them.
SEARCHED: dict[str, list[str]] = {
    "tokens": ["name"],
    "customers": ["name", "slug"],
    "memberships": ["user.email", "name"],
    "payers": ["name"],
    "payer-aliases": ["alias", "payer.name"],
    "cpt-groups": ["name"],
    "cpt-mappings": ["^cpt", "cpt_group.name"],
    "uploads": ["filename"],
    "uploads/errors": ["message"],
    "claims": ["=^claim_number"],
    "drift-runs": ["trigger"],
    "drift-runs/measurements": ["payer.name", "cpt_group.name"],
    "drift-events": ["payer.name", "cpt_group.name"],
    "drift-events/active": ["payer.name", "cpt_group.name"],
    "alert-rules": ["name"],
    "alerts": ["payer.name", "cpt_group.name"],
    "alerts/history": ["note"],
    "alerts/judgments": ["note"],
    "webhook-endpoints": ["url", "description"],
    "webhook-endpoints/deliveries": ["event.message_id", "last_error"],
    "webhook-deliveries": ["event.message_id", "last_error"],
    "webhook-deliveries/attempts": ["error", "response"],
    "audit": ["table_name"],
}


def searched(archive: Archive, row: Row, column: str) -> str:
    table, _, name = column.lstrip("=^").rpartition(".")
    if not table:
        return str(row[name])
    reference = row[f"{table}_id"]
    if reference is None:
        return ""
    table = {"user": '"user"', "event": "webhook_event"}.get(table, table)
    return str(archive.owner.value(f"SELECT {name} FROM {table} WHERE id = %s", reference))


def found_by(column: str, value: str, text: str) -> bool:
    if not column.startswith("="):
        value, text = value.lower(), text.lower()
    return value.startswith(text) if "^" in column else text in value


@each_list()
def test_search_finds_text_literally(archive: Archive, superuser: Api, listing: Listing) -> None:
    rows = listing.rows(archive)[-200:]
    columns = SEARCHED[listing.name]
    texts = {row["id"]: [searched(archive, row, column) for column in columns] for row in rows}
    some = [max(values, key=len) for values in list(texts.values())[::7]]
    terms = {value[:3].swapcase() for value in some} | {value[1:6] for value in some}
    terms |= {"%", "_", "\\", "'", '"', "%%", "r_", "r\\_", "100%", "a%", "A_", "ö", "Ö", "zzz"}
    terms |= {".*", "a.b*c?d+e^f$g|h", "'; DROP TABLE claim; --", "\U0001f4a9", "x" * 100, "null"}
    chose = False

    for term in sorted(term for term in terms if term.strip()):
        expected = [
            row["id"]
            for row in rows
            if any(
                found_by(column, value, term)
                for column, value in zip(columns, texts[row["id"]], strict=True)
            )
        ]
        url = listing.url(archive, search=term, ordering="id", page_size=100)
        found = ids(listing.api(archive, superuser).pages(url))
        assert [number for number in found if number in texts] == expected, term
        chose = chose or 0 < len(expected) < len(rows)
    assert chose or len(rows) == 1


@each_list(LISTS)
def test_every_list_can_be_searched_and_says_how(listing: Listing) -> None:
    assert listing.setting("search_fields")
    assert len(listing.setting("search_describes")) > 10


@each_list(LISTS)
def test_a_search_for_nothing_or_for_a_novel_is_refused(
    archive: Archive, superuser: Api, listing: Listing
) -> None:
    for text in ("", "   ", "\0", "a\0b", "x" * 101, "x" * 100_000):
        answer = listing.api(archive, superuser).get(listing.url(archive, search=text))
        assert answer.status == 400, text[:10]
        assert answer.blamed() == {"search"}


# Ordering


@each_list(LISTS)
def test_only_declared_orderings_are_taken_and_all_of_them_are_named(
    archive: Archive, superuser: Api, listing: Listing
) -> None:
    api = listing.api(archive, superuser)

    for text in ("colour", "--id", "id,-id", "customer", "pk", "-", "payer__name", "?", "id "):
        answer = api.get(listing.url(archive, ordering=text))
        assert answer.status == 400, text
        assert answer.blamed() == {"ordering"}
        [error] = answer.json["errors"]
        assert error["detail"] == f"Give one of {', '.join(listing.orderings)}."


def test_whatever_can_be_listed_is_in_these_tests() -> None:
    assert {listing.name for listing in STORED} == set(SEARCHED)
    assert len(FILTERS) > 80


def test_the_query_of_a_superuser_is_checked_like_everybodys(superuser: Api) -> None:
    for customer in ("\0", "no-such-practice", "-1", "٣", "9" * 400, "' OR 1=1 --", str(2**63)):
        answer = superuser.get("/payers?" + urlencode({"customer": customer}))
        assert answer.status == 400, customer
        assert answer.blamed() == {"customer"}


def test_times_in_answers_and_filters_are_the_same_text(archive: Archive) -> None:
    shown = archive.admin.get("/uploads?ordering=-created_at&page_size=1").results[0]["created_at"]

    assert datetime.fromisoformat(shown).tzinfo is not None
    found = archive.admin.get(f"/uploads?created_at_after={quote(shown)}").results
    assert {row["created_at"] for row in found} == {shown}
