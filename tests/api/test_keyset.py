"""Pages of more rows than are counted: near, far, and where one way of finding them gives way."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.practice import START, Practice
from tests.database import Database

ORDERINGS = [
    sign + name for name in ("id", "submitted_date", "first_decided_date") for sign in ("", "-")
]
# Each matches more than 10,000 claims. A condition in SQL says the same.
QUERIES: dict[str, tuple[Callable[[Practice], dict[str, Any]], str]] = {
    "everything": (lambda p: {}, "true"),
    "everywhere": (lambda p: {"outcome": "PAID"}, "outcome = 'PAID'"),
    "the oldest": (lambda p: {"payer": p.ended}, "payer_name = 'Ended'"),
    "half": (
        lambda p: {"submitted_date_before": START.replace(month=10), "payer": p.usual},
        f"submitted_date <= '{START.replace(month=10)}' AND payer_name = 'Usual'",
    ),
}


@pytest.fixture(scope="module")
def practice(owner: Database, worker: Database) -> Practice:
    return Practice(owner, worker)


def in_order(practice: Practice, condition: str, ordering: str) -> list[int]:
    way = "DESC" if ordering.startswith("-") else "ASC"
    column = ordering.removeprefix("-")
    rows = practice.owner.execute(
        f"SELECT id FROM claim WHERE customer_id = %s AND {condition}"
        f" ORDER BY {column} {way}, id {way}",
        practice.customer_id,
    )
    return [row_id for [row_id] in rows]


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("name", QUERIES)
def test_pages_of_many_rows_follow_each_other(practice: Practice, name: str, ordering: str) -> None:
    query, condition = QUERIES[name]
    expected = in_order(practice, condition, ordering)
    assert len(expected) > 10_000

    for at in (0, 70, 4_990, len(expected) // 2, len(expected) - 150, len(expected) - 30):
        url = practice.page_after(
            practice.key_of(expected[at], ordering), ordering, page_size=100, **query(practice)
        )
        first = practice.member.get(url).json
        ids = [row["id"] for row in first["results"]]
        if first["next"]:
            second = practice.member.get(first["next"]).json
            ids += [row["id"] for row in second["results"]]
            back = practice.member.get(second["previous"]).json
            assert back["results"] == first["results"]
        assert ids == expected[at + 1 : at + 201]


def test_every_page_of_a_far_away_payer(practice: Practice) -> None:
    expected = in_order(practice, "payer_name = 'Ended'", "-id")
    found = practice.member.pages(f"/claims?payer={practice.ended}&page_size=100")

    assert len(expected) > 10_000
    assert [row["id"] for row in found] == expected
