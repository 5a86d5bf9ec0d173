"""Writers who come at the same time, each on a connection of its own."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest

from tests.api.client import Answer, Api, Office
from tests.api.problems import any_problem, problem
from tests.api.threads import together
from tests.conftest import Connect
from tests.database import Database

WRITERS = 8


def statuses(answers: list[Answer]) -> Counter[int]:
    for answer in answers:
        if answer.status >= 400:
            any_problem(answer)
    return Counter(answer.status for answer in answers)


def same(api: Api, path: str, body: Any) -> list[Answer]:
    return together([partial(api.post, path, body) for _ in range(WRITERS)])


@pytest.mark.parametrize(
    ("path", "table", "column", "body"),
    [
        ("/payers", "payer", "name", {"name": "Twice"}),
        ("/payer-aliases", "payer_alias", "alias", {"alias": "Twice"}),
        ("/cpt-groups", "cpt_group", "name", {"name": "Twice"}),
        ("/cpt-mappings", "cpt_mapping", "cpt", {"cpt": "TWICE"}),
        ("/alert-rules", "alert_rule", "name", {"name": "Twice"}),
    ],
)
def test_the_same_thing_is_made_once(
    office: Office, path: str, table: str, column: str, body: dict[str, Any]
) -> None:
    if path == "/payer-aliases":
        body = body | {"payer": office.payer("Aetna")}
    if path == "/cpt-mappings":
        body = body | {"cpt_group": office.group("Office visit")}
    answers = same(office.admin, path, body)

    assert statuses(answers) == {201: 1, 409: WRITERS - 1}
    assert all(answer.blamed() == {column} for answer in answers if answer.status == 409)
    assert [row[column] for row in office.rows(table)].count(body[column]) == 1


def test_the_same_customer_is_made_once(superuser: Api, office: Office) -> None:
    slug = f"twice-{office.slug}"
    answers = same(superuser, "/customers", {"name": "Twice", "slug": slug})

    assert statuses(answers) == {201: 1, 409: WRITERS - 1}
    assert office.owner.value("SELECT count(*) FROM customer WHERE slug = %s", slug) == 1


def test_the_same_member_is_added_once(office: Office) -> None:
    body = {"email": f"twice-{office.slug}@example.org"}
    answers = same(office.admin, "/memberships", body)

    assert statuses(answers) == {201: 1, 409: WRITERS - 1}
    assert all(answer.blamed() == {"email"} for answer in answers if answer.status == 409)


def test_the_same_alert_is_acknowledged_once(office: Office) -> None:
    alert = open_alert(office)
    answers = same(office.member, f"/alerts/{alert}/acknowledge", {"note": "mine"})

    assert statuses(answers) == {200: 1, 409: WRITERS - 1}
    assert office.kinds() == ["opened", "acknowledged"]


def test_a_verdict_given_at_the_same_time_is_one_verdict(office: Office) -> None:
    alert = open_alert(office)
    answers = same(office.member, f"/alerts/{alert}/judgments", {"verdict": "real"})

    assert statuses(answers) == {200: WRITERS}
    assert len(office.rows("alert_judgment")) == 1


def open_alert(office: Office) -> int:
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (date(2025, 11, 15), 0.4)])
    office.detect(date(2025, 11, 15))
    number: int = office.alert()["id"]
    return number


RESOURCES: dict[str, Callable[[Office], dict[str, Any]]] = {
    "payers": lambda office: {"name": "One"},
    "payer-aliases": lambda office: {"alias": "One", "payer": office.payer("Aetna")},
    "cpt-groups": lambda office: {"name": "One"},
    "cpt-mappings": lambda office: {"cpt": "ONE", "cpt_group": office.group("Office visit")},
    "alert-rules": lambda office: {"name": "One"},
}


@pytest.mark.parametrize("resource", RESOURCES)
def test_one_of_many_deletes_it_and_changes_before_that_count(
    office: Office, resource: str
) -> None:
    admin = office.admin
    body = RESOURCES[resource](office)
    row = admin.post(f"/{resource}", body).json
    path = f"/{resource}/{row['id']}"
    name, value = next(iter(body.items()))
    calls = [
        partial(admin.delete, path) if number % 2 else partial(admin.patch, path, {name: value})
        for number in range(WRITERS)
    ]
    answers = together(calls)
    deleted, changed = answers[1::2], answers[::2]

    assert statuses(deleted) == {204: 1, 404: WRITERS // 2 - 1}
    assert set(statuses(changed)) <= {200, 404}
    problem(admin.get(path), 404, "not_found")
    problem(admin.delete(path), 404, "not_found")
    problem(admin.patch(path, {}), 404, "not_found")


def test_changes_of_different_fields_at_the_same_time_all_survive(office: Office) -> None:
    rule = office.default_rule()
    changes = {
        "name": "Renamed",
        "direction": "any",
        "measure": "delta",
        "comparison": "gt",
        "threshold": 0.25,
        "level": "critical",
        "metric": "DENIAL_RATE",
        "enabled": False,
    }
    answers = together(
        [
            partial(office.admin.patch, f"/alert-rules/{rule}", {name: value})
            for name, value in changes.items()
        ]
    )

    assert statuses(answers) == {200: len(changes)}
    shown = office.member.get(f"/alert-rules/{rule}").json
    assert {name: shown[name] for name in changes} == changes


def test_settings_changed_at_the_same_time_all_survive(office: Office) -> None:
    path = f"/customers/{office.customer_id}/drift-settings"
    changes = {"min_volume": 50, "guard_days": 30, "clear_odds": 9.0, "min_days_delta": 4.5}
    answers = together(
        [partial(office.admin.patch, path, {name: value}) for name, value in changes.items()]
    )

    assert statuses(answers) == {200: len(changes)}
    shown = office.member.get(path).json
    assert {name: shown[name] for name in changes} == changes
    trail = office.member.get("/audit?table_name=drift_settings&operation=update").results
    assert sorted(name for entry in trail for name in entry["changes"]) == sorted(changes)


def test_a_reader_neither_waits_for_a_writer_nor_sees_what_isnt_committed(
    office: Office, connect: Connect
) -> None:
    payer = office.admin.post("/payers", {"name": "Before"}).json
    other = connect("claimdrift_worker")
    other.autocommit = False
    Database(other).execute("SELECT drift.lock_customer(%s)", office.customer_id)
    Database(other).execute("DELETE FROM payer WHERE id = %s", payer["id"])

    assert office.member.get("/payers").results == [payer]
    assert office.member.get(f"/payers/{payer['id']}").json == payer
    other.commit()
    assert office.member.get("/payers").results == []
