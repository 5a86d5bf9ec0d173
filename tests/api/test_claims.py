"""Claims, and payers side by side. The figures are counted a second time in Python."""

import random
from datetime import date, timedelta
from statistics import median
from typing import Any

import pytest

from tests.api.client import Api, Office
from tests.api.problems import problem
from tests.database import Database

START, END = date(2026, 1, 10), date(2026, 1, 29)
PAYERS = ("Aetna", "Cigna", "100% Health", "Humana", "Nobody's")


@pytest.fixture(scope="module")
def practice(owner: Database, worker: Database) -> Office:
    """Claims of four payers around two periods; a fifth has none."""
    office = Office(owner, worker)
    chance = random.Random(3)  # noqa: S311
    for number in range(400):
        office.decide(
            START + timedelta(days=chance.randint(-45, 25)),
            denied=chance.randint(0, 2),
            paid=chance.randint(0, 3),
            days=chance.randint(0, 30),
            payer=PAYERS[number % 4 if number % 7 else 0],
        )
    office.payer(PAYERS[4])
    return office


def expected(office: Office, first: date, last: date) -> dict[str, dict[str, Any]]:
    """What each payer decided from a day to a day, both included, and as many days before."""
    length = last - first + timedelta(days=1)
    found = {}
    for name in PAYERS:
        payer = office.payer(name)
        now, before = (
            [
                row
                for row in office.rows("claim")
                if row["payer_id"] == payer and start <= row["first_decided_date"] <= end
            ]
            for start, end in ((first, last), (first - length, first - timedelta(days=1)))
        )
        if now or before:
            found[name] = {
                "payer": payer,
                "payer_name": name,
                "open_alerts": 0,
                **{("claims" if key == "lines" else key): v for key, v in figures(now).items()},
                **{f"previous_{key}": v for key, v in figures(before).items() if key != "denied"},
            }
            found[name]["previous_claims"] = found[name].pop("previous_lines")
    return found


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    denied = sum(row["first_outcome"] == "DENIED" for row in rows)
    days = [(row["first_decided_date"] - row["submitted_date"]).days for row in rows]
    return {
        "lines": len(rows),
        "denied": denied,
        "denial_rate": pytest.approx(denied / len(rows)) if rows else None,
        "median_days": pytest.approx(median(days)) if rows else None,
    }


def summary(office: Office, query: str = "") -> list[dict[str, Any]]:
    period = f"decided_after={START}&decided_before={END}"
    return office.member.get(f"/claims/payer-summary?{period}{query}").results


def test_payers_are_compared_with_themselves_before(practice: Office) -> None:
    rows = summary(practice)

    assert {row["payer_name"]: row for row in rows} == expected(practice, START, END)
    assert [row["claims"] for row in rows] == sorted((r["claims"] for r in rows), reverse=True)


@pytest.mark.parametrize("ordering", ["payer", "claims", "denial_rate", "median_days"])
def test_payers_come_in_the_order_that_was_asked_for(practice: Office, ordering: str) -> None:
    up = [row[ordering] for row in summary(practice, f"&ordering={ordering}")]

    assert up == sorted(up)
    assert [row[ordering] for row in summary(practice, f"&ordering=-{ordering}")] == up[::-1]


def test_payers_can_be_searched_and_chosen(practice: Office) -> None:
    for search, names in (
        ("aet", ["Aetna"]),
        ("%25", ["100% Health"]),
        ("_", []),
        ("nobody", []),
        ("A", ["Aetna", "Cigna", "100% Health", "Humana"]),
    ):
        found = {row["payer_name"] for row in summary(practice, f"&search={search}")}
        assert found == set(names), search
    chosen = practice.payer("Cigna")
    assert [row["payer"] for row in summary(practice, f"&payer={chosen}")] == [chosen]
    assert summary(practice, f"&payer={chosen}&search=aetna") == []


def test_a_period_is_ninety_days_unless_both_ends_are_given(practice: Office) -> None:
    usual = timedelta(days=89)
    for query, first, last in (
        (f"decided_after={START}", START, START + usual),
        (f"decided_before={END}", END - usual, END),
        (f"decided_after={END}&decided_before={END}", END, END),
    ):
        rows = practice.member.get(f"/claims/payer-summary?{query}").results
        assert {row["payer_name"]: row for row in rows} == expected(practice, first, last), query


def test_without_a_period_it_ends_yesterday(office: Office) -> None:
    today = office.worker.value(
        "SELECT tenancy.local_date(p_customer_id => %s, p_at => now())", office.customer_id
    )
    for days, payer in ((0, "Today"), (1, "Yesterday"), (90, "First"), (91, "Before")):
        office.decide(today - timedelta(days=days), paid=1, payer=payer)

    rows = office.member.get("/claims/payer-summary").results
    assert {row["payer_name"]: (row["claims"], row["previous_claims"]) for row in rows} == {
        "Yesterday": (1, 0),
        "First": (1, 0),
        "Before": (0, 1),
    }


@pytest.mark.parametrize(
    ("query", "blamed"),
    [
        ("decided_after=2026-01-02&decided_before=2026-01-01", "decided_after"),
        ("decided_after=2025-01-01&decided_before=2026-01-02", "decided_after"),
        ("decided_after=0001-01-01&decided_before=9999-12-31", "decided_after"),
        ("decided_after=9999-12-01", "decided_after"),
        ("decided_before=0001-01-31", "decided_before"),
    ],
)
def test_a_period_that_is_none_is_refused(office: Office, query: str, blamed: str) -> None:
    answer = office.member.get(f"/claims/payer-summary?{query}")

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {blamed}


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_are_days_like_any_other(office: Office, day: str) -> None:
    query = f"decided_after={day}&decided_before={day}"

    assert office.member.get(f"/claims/payer-summary?{query}").json["count"] == 0


def test_a_year_is_not_too_long(practice: Office) -> None:
    query = "decided_after=2025-01-29&decided_before=2026-01-29"

    assert practice.member.get(f"/claims/payer-summary?{query}").status == 200


def test_live_alerts_are_counted_with_their_payer(office: Office) -> None:
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (date(2025, 11, 15), 0.4)])
    office.detect(date(2025, 11, 15))
    path = "/claims/payer-summary?decided_before=2025-11-14"

    [row] = office.member.get(path).results
    assert row["open_alerts"] == len(office.rows("alert")) > 0
    for alert in office.rows("alert"):
        office.member.post(f"/alerts/{alert['id']}/resolve")
    [row] = office.member.get(path).results
    assert row["open_alerts"] == 0


def test_a_superuser_says_whose_payers(practice: Office, superuser: Api) -> None:
    answer = superuser.get("/claims/payer-summary")

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"customer"}
    query = f"decided_after={START}&decided_before={END}"
    shown = superuser.get(f"/claims/payer-summary?{query}&customer={practice.slug}").results
    assert shown == summary(practice)


def test_claims_are_read_only(practice: Office) -> None:
    claim = practice.rows("claim")[0]["id"]
    shown = practice.member.get(f"/claims/{claim}").json
    assert (shown["payer_name"], shown["cpt_group_name"]) == ("Aetna", "99213")

    for method, path in (("POST", "/claims"), ("PATCH", f"/claims/{claim}")):
        problem(practice.admin.request(method, path, {}), 405, "method_not_allowed")
    problem(practice.admin.delete(f"/claims/{claim}"), 405, "method_not_allowed")


def test_a_claim_number_is_found_by_how_it_begins_in_its_own_case(archive: Office) -> None:
    assert archive.member.get("/claims?search=A%25").json["count"] == 15
    assert archive.member.get("/claims?search=A_").json["count"] == 15
    assert archive.member.get("/claims?search=a_").json["count"] == 15
    assert archive.member.get("/claims?search=a%25").json["count"] == 0
    assert archive.member.get("/claims?search=-").json["count"] == 0
