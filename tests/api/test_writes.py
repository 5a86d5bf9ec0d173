"""What holds for every resource that can be written to."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Api, Office
from tests.api.problems import problem

# A body to make one of, and one change.
RESOURCES: dict[str, tuple[Callable[[Office], dict[str, Any]], dict[str, Any]]] = {
    "payers": (lambda o: {"name": "One"}, {"name": "Two"}),
    "payer-aliases": (lambda o: {"alias": "One", "payer": o.payer("Aetna")}, {"alias": "Two"}),
    "cpt-groups": (lambda o: {"name": "One"}, {"name": "Two"}),
    "cpt-mappings": (lambda o: {"cpt": "ONE", "cpt_group": o.group("Visit")}, {"cpt": "TWO"}),
    "alert-rules": (
        lambda o: {"name": "One", "payer": o.payer("Aetna"), "threshold": 0.5, "level": "info"},
        {"threshold": 0.75},
    ),
}
each_resource = pytest.mark.parametrize("resource", RESOURCES)


def made(office: Office, resource: str) -> tuple[str, dict[str, Any]]:
    """A new one: its address and what it was answered as."""
    body = RESOURCES[resource][0](office)
    answer = office.admin.post(f"/{resource}", body)
    assert answer.status == 201, answer.content
    assert body.items() <= answer.json.items()
    return answer.headers["location"], answer.json


@each_resource
def test_what_was_made_is_where_location_says_and_in_the_list_at_once(
    office: Office, resource: str
) -> None:
    location, row = made(office, resource)

    assert location == f"http://testserver/api/v1/{resource}/{row['id']}"
    assert office.member.get(location).json == row
    assert row in office.member.get(f"/{resource}").results
    assert row["customer"] == office.customer_id


@each_resource
def test_a_change_is_seen_at_once_and_touches_nothing_else(office: Office, resource: str) -> None:
    location, row = made(office, resource)
    change = RESOURCES[resource][1]
    answer = office.admin.patch(location.removeprefix("http://testserver"), change)

    assert (answer.status, answer.json) == (200, row | change)
    assert office.member.get(location).json == row | change


@each_resource
def test_a_change_of_nothing_changes_nothing(office: Office, resource: str) -> None:
    location, row = made(office, resource)
    path = location.removeprefix("http://testserver")
    before = office.member.get("/audit").json["count"]

    for _ in range(2):
        answer = office.admin.patch(path, {})
        assert (answer.status, answer.json) == (200, row)
    assert office.member.get("/audit").json["count"] == before


@each_resource
def test_what_was_deleted_is_gone_and_deleting_it_again_finds_nothing(
    office: Office, resource: str
) -> None:
    location, row = made(office, resource)
    path = location.removeprefix("http://testserver")

    first = office.admin.delete(path)
    assert (first.status, first.content) == (204, b"")
    problem(office.admin.delete(path), 404, "not_found")
    problem(office.admin.patch(path, {}), 404, "not_found")
    problem(office.member.get(path), 404, "not_found")
    assert row["id"] not in [r["id"] for r in office.member.get(f"/{resource}").results]


@each_resource
def test_a_refused_change_changes_nothing(office: Office, resource: str) -> None:
    location, row = made(office, resource)
    body = RESOURCES[resource][0](office)
    name = next(iter(body))
    other = office.admin.post(f"/{resource}", body | {name: "OTHER"}).json

    path = location.removeprefix("http://testserver")
    problem(office.admin.patch(path, {name: other[name]}), 409, "conflict")
    assert office.member.get(location).json == row


@each_resource
def test_a_superuser_says_for_whom_something_is_made(
    office: Office, neighbour: Office, superuser: Api, resource: str
) -> None:
    body = RESOURCES[resource][0](office)

    unsaid = superuser.post(f"/{resource}", body)
    problem(unsaid, 400, "validation_error")
    assert unsaid.blamed() == {"customer"}
    for name in (office.slug, str(office.customer_id)):
        answer = superuser.post(f"/{resource}?customer={name}", body)
        assert answer.json["customer"] == office.customer_id
        location = answer.headers["location"].removeprefix("http://testserver")
        assert superuser.get(location).json == answer.json
        problem(superuser.get(f"{location}?customer={neighbour.slug}"), 404, "not_found")
        assert superuser.patch(location, {}).json == answer.json
        assert superuser.delete(location).status == 204


def test_a_database_default_is_shown_for_what_was_left_out(office: Office) -> None:
    rule = office.admin.post("/alert-rules", {"name": "x"}).json

    assert {name: rule[name] for name in ("direction", "measure", "comparison", "threshold")} == {
        "direction": "worse",
        "measure": "severity",
        "comparison": "gte",
        "threshold": 0.0,
    }
    assert rule["enabled"] is True
