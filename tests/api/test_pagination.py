"""Pages neither skip nor repeat, say how many rows there are, and take no foreign cursors."""

import json
import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core import signing

from tests.api.archive import Archive
from tests.api.client import Answer, Api, Office
from tests.api.lists import LISTS, Listing, each_list, ids, in_order
from tests.database import Database

ENVELOPE = {"count", "count_exact", "next", "previous", "results"}
DAY = date(2026, 3, 1)


# Forward and backward, in every order


@dataclass
class Pages:
    """A list's pages, to be turned."""

    api: Api
    url: str | None
    answers: list[Answer] = field(default_factory=list)

    def walk(self, link: str) -> list[list[int]]:
        """The ids of all pages from here on, by one of the links."""
        pages = []
        while self.url:
            answer = self.api.get(self.url)
            assert answer.status == 200, answer.content
            assert set(answer.json) == ENVELOPE
            self.answers.append(answer)
            pages.append(ids(answer.results))
            assert len(pages) < 100, "it never ends"
            self.url = answer.json[link]
        return pages


def cut(numbers: list[int], size: int) -> list[list[int]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


@pytest.mark.parametrize(
    ("listing", "ordering"),
    [
        pytest.param(listing, ordering, id=f"{listing.name}:{ordering}")
        for listing in LISTS
        for ordering in (None, *listing.orderings)
        if listing.name != "claims/payer-summary"
    ],
)
def test_pages_forward_and_backward_are_the_same(
    archive: Archive, superuser: Api, listing: Listing, ordering: str | None
) -> None:
    rows = in_order(listing.rows(archive), ordering or listing.default_ordering)
    size = max(3, len(rows) // 6)
    expected = cut(ids(rows), size)
    url = listing.url(archive, ordering=ordering, page_size=size)
    pages = Pages(listing.api(archive, superuser), url)

    forward = pages.walk("next")
    assert forward == expected
    assert all(answer.json["count"] == len(rows) for answer in pages.answers)
    assert all(answer.json["count_exact"] is True for answer in pages.answers)
    assert pages.answers[0].json["previous"] is None

    pages.url = pages.answers[-1].json["previous"]
    backward = pages.walk("previous")
    assert backward[::-1] == expected[:-1]
    assert pages.answers[-1].json["previous"] is None
    if len(expected) > 1:
        pages.url = pages.answers[-1].json["next"]
        assert pages.walk("next") == expected[1:]


@pytest.fixture(scope="module")
def crowd(owner: Database, worker: Database) -> Office:
    """3000 claims decided on one day, among some that were decided on others or not yet."""
    office = Office(owner, worker)
    pend(office, "P", 80)
    office.decide(DAY, denied=1500, paid=1500)
    office.decide(DAY + timedelta(days=1), paid=7)
    office.decide(DAY - timedelta(days=1), paid=7)
    pend(office, "Q", 70)
    return office


def pend(office: Office, prefix: str, lines: int) -> None:
    """Add claims that nobody has decided yet."""
    office.owner.execute(
        "INSERT INTO claim (customer_id, claim_number, payer_id, payer_name, cpt, cpt_group_id,"
        " submitted_date, outcome, upload_id)"
        " SELECT %s, %s || n, %s, 'Aetna', '99213', %s, %s, 'PENDING', %s"
        " FROM generate_series(1, %s) AS n",
        office.customer_id,
        prefix,
        office.payer("Aetna"),
        office.group("99213"),
        DAY,
        office.upload_id,
        lines,
    )


@pytest.mark.parametrize("ordering", ["first_decided_date", "-first_decided_date"])
def test_ties_and_nulls_lose_and_repeat_nothing(crowd: Office, ordering: str) -> None:
    expected = cut(ids(in_order(crowd.rows("claim"), ordering)), 100)
    pages = Pages(crowd.member, f"/claims?page_size=100&ordering={ordering}")

    assert pages.walk("next") == expected
    pages.url = pages.answers[-1].json["previous"]
    assert pages.walk("previous")[::-1] == expected[:-1]


def test_page_size_may_change_on_the_way(crowd: Office) -> None:
    expected = ids(in_order(crowd.rows("claim"), "-first_decided_date"))[:200]
    found: list[int] = []
    url = "/claims?ordering=-first_decided_date&page_size=1"
    for size in (1, 2, 3, 50, 100, 44):
        answer = crowd.member.get(url.replace("page_size=1", f"page_size={size}"))
        found += ids(answer.results)
        url = answer.json["next"].replace(f"page_size={size}", "page_size=1")

    assert found == expected


def test_links_keep_filters_search_and_size_and_nothing_else(archive: Archive) -> None:
    query = {"status__in": "open,resolved", "search": "100% Health", "page_size": "1"}
    answer = archive.admin.get(f"/alerts?{urlencode(query)}")
    link = urlsplit(answer.json["next"])

    assert (link.scheme, link.netloc, link.path) == ("http", "testserver", "/api/v1/alerts")
    sent = parse_qs(link.query)
    assert sent.pop("cursor")
    assert sent == {name: [value] for name, value in query.items()}


# Sizes and counts


@each_list(LISTS)
def test_a_bad_page_size_is_refused(archive: Archive, superuser: Api, listing: Listing) -> None:
    for size in (
        "", "0", "101", "-1", "1.0", "1e1", "+5", " 5", "5 ", "abc", "٢٥", "²", "NaN", "None",
        "1_0", "0000000001999", "00000001" + "0" * 5000, "9" * 5000, str(2**63), "5\0", "1;2",
    ):  # fmt: skip
        answer = listing.api(archive, superuser).get(listing.url(archive, page_size=size))
        assert answer.status == 400, size
        assert answer.blamed() == {"page_size"}


@pytest.mark.parametrize("size", [1, 2, 24, 25, 26, 99, 100])
def test_a_page_has_as_many_as_were_asked_for(crowd: Office, size: int) -> None:
    assert len(crowd.member.get(f"/claims?page_size={size}").results) == size


def test_a_page_has_25_by_default(crowd: Office) -> None:
    assert len(crowd.member.get("/claims").results) == 25


def test_the_count_is_exact_up_to_ten_thousand(office: Office) -> None:
    office.decide(DAY, paid=10_000)
    exact = office.member.get("/claims?page_size=1").json
    office.decide(DAY, paid=1, payer="Cigna")
    rest = office.member.get("/claims?page_size=1").json
    office.decide(DAY, paid=1)
    more = office.member.get("/claims?page_size=1").json
    filtered = office.member.get(f"/claims?page_size=1&payer={office.payer('Cigna')}").json

    assert (exact["count"], exact["count_exact"]) == (10_000, True)
    assert (rest["count"], rest["count_exact"]) == (10_000, False)
    assert (more["count"], more["count_exact"]) == (10_000, False)
    assert (filtered["count"], filtered["count_exact"]) == (1, True)


def test_an_empty_list_has_no_links(office: Office) -> None:
    assert office.member.get("/alerts").json == {
        "count": 0,
        "count_exact": True,
        "next": None,
        "previous": None,
        "results": [],
    }


# Cursors from elsewhere


def cursor_of(answer: Answer, link: str = "next") -> str:
    query = urlsplit(str(answer.json[link])).query
    return parse_qs(query)["cursor"][0]


def refuses(api: Api, path: str, cursor: str, **more: str) -> None:
    answer = api.get(f"{path}?{urlencode({'cursor': cursor, 'page_size': '2', **more})}")
    assert answer.status == 400, (cursor[:50], answer.content)
    assert answer.code == "validation_error"
    assert answer.blamed() == {"cursor"}


def test_a_damaged_cursor_is_refused(archive: Archive) -> None:
    cursor = cursor_of(archive.admin.get("/claims?page_size=2"))
    content, time, signature = cursor.split(":")
    other = cursor_of(archive.admin.get("/claims?page_size=3")).split(":")
    damaged = [
        *(cursor[:length] for length in range(1, len(cursor), 13)),
        cursor[1:], cursor[:-1], cursor[:-1] + "EA"[cursor[-1] != "A"], cursor + "A",
        cursor.upper(), cursor * 2,
        cursor[::-1], cursor.swapcase(), f"{content}:{time}", f"{content}::{signature}", ":", "::",
        f"{signature}:{time}:{content}", f"{content}:{other[1]}:{other[2]}x", "0", "-1", "null",
        f"{other[0]}:{time}:{signature}", f".{content}:{time}:{signature}", "é", "\ud7ff", "../..",
        "cursor", "eyJ9", "%00", "' OR 1=1 --", "x" * 100_000, ":" * 1000, "\U0001f4a9", "a\0b",
        "\0", cursor + "\0",
    ]  # fmt: skip

    assert archive.admin.get(f"/claims?page_size=2&cursor={cursor}").status == 200
    for text in damaged:
        refuses(archive.admin, "/claims", text)


def test_a_forged_cursor_is_refused(archive: Archive) -> None:
    cursor = cursor_of(archive.admin.get("/claims?page_size=2"))
    content = signing.loads(cursor, salt="claimdrift.cursor")

    for forged in (
        signing.dumps(content, salt="claimdrift.other"),
        signing.dumps(content, key="another key", salt="claimdrift.cursor"),
        signing.dumps(content),
        signing.b64_encode(json.dumps(content).encode()).decode(),
    ):
        refuses(archive.admin, "/claims", forged)


def test_a_cursor_is_good_for_its_list_filters_and_ordering_only(
    archive: Archive, superuser: Api
) -> None:
    admin = archive.admin
    cursor = cursor_of(admin.get("/claims?page_size=2&outcome=PAID&ordering=submitted_date"))
    whole = {"outcome": "PAID", "ordering": "submitted_date"}

    for path, parameters in (
        ("/claims", {}),
        ("/claims", {"outcome": "PAID"}),
        ("/claims", {"ordering": "submitted_date"}),
        ("/claims", whole | {"outcome": "DENIED"}),
        ("/claims", whole | {"outcome__in": "PAID,DENIED"}),
        ("/claims", whole | {"search": "A"}),
        ("/claims", whole | {"ordering": "-submitted_date"}),
        ("/claims", whole | {"ordering": "id"}),
        ("/payers", {}),
        ("/alerts", {}),
    ):
        refuses(admin, path, cursor, **parameters)
    assert admin.get(f"/claims?{urlencode(whole | {'cursor': cursor})}").status == 200


def test_a_cursor_of_one_object_is_refused_by_another(archive: Archive) -> None:
    first, second = ids(archive.rows("alert"))[:2]
    cursor = cursor_of(archive.admin.get(f"/alerts/{first}/history?page_size=2"))

    assert archive.admin.get(f"/alerts/{first}/history?cursor={cursor}").status == 200
    refuses(archive.admin, f"/alerts/{second}/history", cursor)
    refuses(archive.admin, f"/alerts/{first}/judgments", cursor)


def test_a_cursor_of_another_customer_is_refused(
    archive: Archive, neighbour: Office, superuser: Api
) -> None:
    neighbour.decide(DAY, paid=5)
    foreign = cursor_of(neighbour.member.get("/claims?page_size=2"))
    own = cursor_of(archive.admin.get("/claims?page_size=2"))
    everybodys = cursor_of(superuser.get("/claims?page_size=2"))
    narrowed = cursor_of(superuser.get(f"/claims?page_size=2&customer={archive.slug}"))

    refuses(archive.admin, "/claims", foreign)
    refuses(archive.admin, "/claims", everybodys)
    refuses(archive.admin, "/claims", narrowed)
    for cursor in (own, foreign, narrowed):
        refuses(superuser, "/claims", cursor)
    refuses(superuser, "/claims", everybodys, customer=archive.slug)
    refuses(superuser, "/claims", narrowed, customer=neighbour.slug)
    # It names no one: what it opens is still the own rows of whoever shows it.
    assert archive.member.get(f"/claims?page_size=2&cursor={own}").status == 200


# Rows that come and go


def test_the_row_that_a_page_ended_with_may_go(office: Office) -> None:
    payers = [office.payer(f"Payer {number}") for number in range(6)]
    first = office.member.get("/payers?ordering=id&page_size=2").json
    office.owner.execute("DELETE FROM payer WHERE id = ANY(%s)", payers[1:3])

    second = office.member.get(first["next"]).json
    assert ids(second["results"]) == payers[3:5]
    assert ids(office.member.get(second["previous"]).results) == payers[:1]


def test_a_page_that_turned_out_empty_leads_back_to_all_that_was_before(office: Office) -> None:
    payers = [office.payer(f"Payer {number}") for number in range(4)]
    first = office.member.get("/payers?ordering=id&page_size=2").json
    office.owner.execute("DELETE FROM payer WHERE id = ANY(%s)", payers[2:])

    empty = office.member.get(first["next"]).json
    assert (empty["results"], empty["next"], empty["count"]) == ([], None, 2)
    assert ids(office.member.get(empty["previous"]).results) == payers[:2]


def test_a_page_before_which_nothing_is_left_leads_on_to_all_that_comes(office: Office) -> None:
    payers = [office.payer(f"Payer {number}") for number in range(4)]
    second = office.member.get(office.member.get("/payers?ordering=id&page_size=2").json["next"])
    office.owner.execute("DELETE FROM payer WHERE id = ANY(%s)", payers[:2])

    empty = office.member.get(second.json["previous"]).json
    assert (empty["results"], empty["previous"], empty["count"]) == ([], None, 2)
    assert ids(office.member.get(empty["next"]).results) == payers[2:]


def test_nothing_is_skipped_or_repeated_while_others_write(crowd: Office) -> None:
    """What was there throughout is seen once, in order, however many come and go around it."""
    before = in_order(crowd.rows("claim"), "-first_decided_date")
    gone: set[int] = set()
    seen: list[int] = []
    url: str | None = "/claims?ordering=-first_decided_date&page_size=100"
    chance = random.Random(7)  # noqa: S311
    while url:
        page = crowd.member.get(url).json
        seen += ids(page["results"])
        assert len(seen) < 10_000, "it never ends"
        url = page["next"]
        victims = chance.sample(ids(before), 10)
        gone |= set(victims)
        crowd.owner.execute("DELETE FROM claim WHERE id = ANY(%s)", victims)
        crowd.decide(DAY + timedelta(days=chance.choice([-1, 0, 1])), paid=10)

    stayed = [number for number in ids(before) if number not in gone]
    known = set(ids(before))
    assert len(seen) == len(set(seen))
    assert [number for number in seen if number in known and number not in gone] == stayed
