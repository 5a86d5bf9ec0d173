"""Pages against a model: random rows, orders, sizes and directions, and changes in between.

The rows of a page are found in one of several ways, by what was asked for and by how much there
is. Here little is much, so that each of them is taken.
"""

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from api.pagination import KeysetPagination
from tests.api.archive import insert
from tests.api.client import Office
from tests.api.lists import Row, ids
from tests.database import Database

DAY = date(2026, 3, 1)
Key = tuple[bool, Any, int]


class Model:
    """Rows as (value, id), and pages of them as this file says they should be.

    A link leads to a gap between two rows: `after` whether it is the one after a row, or before.
    """

    def __init__(self, rows: dict[int, Any], descending: bool) -> None:
        self.rows = rows
        self.descending = descending

    def keys(self) -> list[Key]:
        found = ((v is None, 0 if v is None else v, number) for number, v in self.rows.items())
        return sorted(found, reverse=self.descending)

    def is_past(self, key: Key, gap: tuple[Key, bool]) -> bool:
        start, after = gap
        if key == start:
            return not after
        return (key < start) if self.descending else (key > start)

    def page(
        self, gap: tuple[Key, bool] | None, backward: bool, size: int
    ) -> tuple[list[Key], bool]:
        """The page beyond a gap, and whether there is more in its direction."""
        keys = self.keys()
        if gap is not None:
            keys = [key for key in keys if self.is_past(key, gap) != backward]
        return (keys[-size:] if backward else keys[:size]), len(keys) > size


class Reader:
    """Turns pages at random, and compares each with the model's."""

    def __init__(self, model: Model, max_count: int) -> None:
        self.model = model
        self.max_count = max_count
        self.gap: tuple[Key, bool] | None = None
        self.backward = False

    def read(self, answer: dict[str, Any], size: int) -> dict[str, tuple[Key, bool]]:
        """Check a page; where its links lead."""
        expected, is_more = self.model.page(self.gap, self.backward, size)
        assert answer["ids"] == [key[2] for key in expected]
        assert answer["count"] == min(len(self.model.rows), self.max_count)
        assert answer["count_exact"] == (len(self.model.rows) <= self.max_count)
        ends = {"previous": (expected[0], False), "next": (expected[-1], True)} if expected else {}
        if self.gap is not None and not expected:
            ends = {"previous": self.gap, "next": self.gap}
        has = {
            "next": bool(ends) and (self.backward or is_more),
            "previous": bool(ends) and (is_more if self.backward else self.gap is not None),
        }
        assert {name: bool(answer[name]) for name in has} == has
        return {name: gap for name, gap in ends.items() if has[name]}


VALUES = st.one_of(st.none(), st.integers(0, 3))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "previous", "add", "remove", "remove"]),
        st.integers(1, 5),
        VALUES,
        st.integers(0, 30),
    ),
    max_size=14,
)

# A page that turned out empty, and back.
EMPTIED: dict[str, Any] = {
    "values": [0, 0, 0, 0],
    "descending": False,
    "steps": [(step, 2, None, 2) for step in ("remove", "remove", "next", "previous")],
}


@dataclass(frozen=True)
class Asked:
    """What a list is asked for; more than `max_count` rows aren't counted."""

    payer: bool = False
    first_day: int | None = None
    max_count: int = 10_000

    def shows(self, value: int | None) -> bool:
        return self.first_day is None or (value is not None and value >= self.first_day)


ASKED = st.builds(Asked, st.booleans(), st.sampled_from([None, 1]), st.sampled_from([2, 10_000]))


class StoredRows:
    """Claims of a new customer. A value is how many days after DAY they were decided.

    Each has a double of another payer's, before or after it.
    """

    def __init__(
        self, owner: Database, worker: Database, values: list[int | None], asked: Asked
    ) -> None:
        self.office = Office(owner, worker)
        self.asked = asked
        self.numbers = itertools.count(1)
        self.rows: dict[int, Any] = {}
        for value in values:
            self.add(value)

    def add(self, value: int | None) -> None:
        payers = ["Aetna", "Cigna"]
        for payer in payers if len(self.rows) % 2 else reversed(payers):
            number = self._insert(value, payer)
            if self.asked.shows(value) and (payer == "Aetna" or not self.asked.payer):
                self.rows[number] = value

    def _insert(self, value: int | None, payer: str) -> int:
        decided = None if value is None else DAY + timedelta(days=value)
        outcome = "PENDING" if decided is None else "PAID"
        [number] = insert(
            self.office.owner,
            "claim",
            [
                {
                    "customer_id": self.office.customer_id,
                    "claim_number": f"N{next(self.numbers)}",
                    "payer_id": self.office.payer(payer),
                    "payer_name": payer,
                    "cpt": "99213",
                    "cpt_group_id": self.office.group("99213"),
                    "submitted_date": DAY,
                    "decided_date": decided,
                    "outcome": outcome,
                    "first_decided_date": decided,
                    "first_outcome": None if decided is None else outcome,
                    "upload_id": self.office.upload_id,
                }
            ],
        )
        return number

    def remove(self, number: int) -> None:
        self.office.owner.execute("DELETE FROM claim WHERE id = %s", number)
        del self.rows[number]

    def fetch(self, url: str | None, ordering: str, size: int) -> dict[str, Any]:
        path = url or f"/claims?ordering={ordering}&page_size=1{self._query()}"
        answer = self.office.member.get(path.replace("page_size=1", f"page_size={size}"))
        assert answer.status == 200, answer.content
        page = answer.json
        for link in ("next", "previous"):
            if page[link]:
                page[link] = page[link].replace(f"page_size={size}", "page_size=1")
        return {**page, "ids": ids(page["results"])}

    def _query(self) -> str:
        query = f"&payer={self.office.payer('Aetna')}" if self.asked.payer else ""
        if self.asked.first_day is not None:
            first = DAY + timedelta(days=self.asked.first_day)
            query += f"&first_decided_date_after={first}"
        return query


class CountedRows:
    """The same rows, made up for each request."""

    asked = Asked()

    def __init__(self, values: list[int | None]) -> None:
        self.rows: dict[int, Any] = dict(enumerate(values))
        self.numbers = len(values)

    def add(self, value: int | None) -> None:
        self.rows[self.numbers] = value
        self.numbers += 1

    def remove(self, number: int) -> None:
        del self.rows[number]

    def fetch(self, url: str | None, ordering: str, size: int) -> dict[str, Any]:
        @dataclass
        class View:
            customer_id: int = 1

            def chosen_ordering(self) -> str:
                return ordering

        path = url or f"/counted?ordering={ordering}&page_size=1"
        path = path.replace("page_size=1", f"page_size={size}")
        paginator = KeysetPagination()
        rows: list[Row] = [
            {"number": number, "first_decided_date": value} for number, value in self.rows.items()
        ]
        request = Request(APIRequestFactory().get(path))
        page = paginator.paginate_rows(rows, "number", request, View())
        answer: Response = paginator.get_paginated_response([row["number"] for row in page])
        for link in ("next", "previous"):
            if answer.data[link]:
                answer.data[link] = answer.data[link].replace(f"page_size={size}", "page_size=1")
        return {**answer.data, "ids": answer.data["results"]}


def turn_pages(rows: StoredRows | CountedRows, descending: bool, steps: list[Any]) -> None:
    reader = Reader(Model(rows.rows, descending), rows.asked.max_count)
    ordering = "-first_decided_date" if descending else "first_decided_date"
    answer = rows.fetch(None, ordering, 2)
    gaps = reader.read(answer, 2)
    for kind, size, value, which in steps:
        if kind == "add":
            rows.add(value)
        elif kind == "remove":
            if rows.rows:
                rows.remove(sorted(rows.rows)[which % len(rows.rows)])
        elif kind in gaps:
            reader.gap, reader.backward = gaps[kind], kind == "previous"
            answer = rows.fetch(answer[kind], ordering, size)
            gaps = reader.read(answer, size)


def turn_stored_pages(
    owner: Database,
    worker: Database,
    values: list[int | None],
    descending: bool,
    steps: list[Any],
    asked: Asked,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.pagination.MAX_COUNT", asked.max_count)
        patch.setattr("api.keyset.NEAR", 3)
        turn_pages(StoredRows(owner, worker, values, asked), descending, steps)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(VALUES, max_size=10), descending=st.booleans(), steps=STEPS, asked=ASKED)
@example(**EMPTIED, asked=Asked())
@example(**EMPTIED, asked=Asked(payer=True, max_count=2))
def test_pages_of_stored_rows_are_those_of_the_model(
    owner: Database,
    worker: Database,
    values: list[int | None],
    descending: bool,
    steps: list[Any],
    asked: Asked,
) -> None:
    turn_stored_pages(owner, worker, values, descending, steps, asked)


@pytest.mark.long
@settings(
    max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(VALUES, max_size=10), descending=st.booleans(), steps=STEPS, asked=ASKED)
def test_many_pages_of_stored_rows_are_those_of_the_model(
    owner: Database,
    worker: Database,
    values: list[int | None],
    descending: bool,
    steps: list[Any],
    asked: Asked,
) -> None:
    turn_stored_pages(owner, worker, values, descending, steps, asked)


@settings(max_examples=200, deadline=None)
@given(values=st.lists(VALUES, max_size=12), descending=st.booleans(), steps=STEPS)
@example(**EMPTIED)
def test_pages_of_counted_rows_are_those_of_the_model(
    values: list[int | None], descending: bool, steps: list[Any]
) -> None:
    turn_pages(CountedRows(values), descending, steps)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None)
@given(values=st.lists(VALUES, max_size=12), descending=st.booleans(), steps=STEPS)
def test_many_pages_of_counted_rows_are_those_of_the_model(
    values: list[int | None], descending: bool, steps: list[Any]
) -> None:
    turn_pages(CountedRows(values), descending, steps)
