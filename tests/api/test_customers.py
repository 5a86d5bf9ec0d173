"""Customers, their settings and members, and the trail of what was changed."""

import pytest

from tests.api.client import Api, Office
from tests.api.problems import problem


def test_a_new_customer_has_settings_and_a_rule_at_once(office: Office, superuser: Api) -> None:
    answer = superuser.post(
        "/customers",
        {"name": "New Practice", "slug": f"new-{office.slug}", "time_zone": "America/New_York"},
    )

    assert answer.status == 201, answer.content
    assert (answer.json["status"], answer.json["time_zone"]) == ("active", "America/New_York")
    number = answer.json["id"]
    assert superuser.get(answer.headers["location"]).json == answer.json
    assert superuser.get(f"/customers/{number}/drift-settings").json["customer"] == number
    [rule] = superuser.get(f"/alert-rules?customer={number}").results
    assert rule["name"] == "Any worsening"


@pytest.mark.parametrize(
    "slug", ["", "A", "a b", "-a", "a-", "a--b", "a_b", "ä", "a/b", "a" * 61, "a\nb", "٣"]
)
def test_a_slug_is_words_with_hyphens_between(superuser: Api, slug: str) -> None:
    answer = superuser.post("/customers", {"name": "x", "slug": slug})

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"slug"}


def test_a_suspended_customers_tokens_are_void_at_once(office: Office, superuser: Api) -> None:
    member = office.member
    path = f"/customers/{office.customer_id}"

    assert superuser.patch(path, {"status": "suspended"}).json["status"] == "suspended"
    problem(member.get("/claims"), 401, "authentication_failed")
    assert superuser.get(f"/claims?customer={office.slug}").status == 200


def test_a_customer_sees_itself_alone(office: Office, neighbour: Office) -> None:
    [row] = office.member.get("/customers").results

    assert row["slug"] == office.slug
    problem(office.member.get(f"/customers/{neighbour.customer_id}"), 404, "not_found")
    problem(
        office.admin.patch(f"/customers/{neighbour.customer_id}/drift-settings", {}),
        404,
        "not_found",
    )


def test_settings_change_as_far_as_they_are_named(office: Office) -> None:
    path = f"/customers/{office.customer_id}/drift-settings"
    before = office.member.get(path).json

    assert office.admin.patch(path, {}).json == before
    change = {"method": "threshold", "min_volume": 40, "min_rate_delta": 0.1}
    assert office.admin.patch(path, change).json == before | change
    assert office.member.get(path).json == before | change


def test_the_trail_says_who_changed_what(office: Office) -> None:
    path = f"/customers/{office.customer_id}/drift-settings"
    office.admin.patch(path, {"min_volume": 40})

    [entry] = office.member.get("/audit?table_name=drift_settings&operation=update").results
    assert entry["changes"] == {"min_volume": [30, 40]}
    assert entry["actor"] == office.admin.get("/auth/me").json["user"]
    assert entry["login"] == "claimdrift_web"
    for method in ("PATCH", "DELETE"):
        answer = office.admin.request(method, f"/audit/{entry['id']}", {})
        problem(answer, 405, "method_not_allowed")


def test_a_member_comes_changes_and_goes(office: Office) -> None:
    email = f"Dana-{office.slug}@Example.org"
    answer = office.admin.post("/memberships", {"email": email, "name": "Dana Reyes"})

    assert answer.status == 201, answer.content
    row = answer.json
    assert (row["email"], row["name"], row["role"]) == (email.lower(), "Dana Reyes", "member")
    assert office.member.get(answer.headers["location"]).json == row
    path = f"/memberships/{row['id']}"
    assert office.admin.patch(path, {}).json == row
    assert office.admin.patch(path, {"role": "admin"}).json == row | {"role": "admin"}
    token = Api(office.token(row["user"]))
    assert token.get("/auth/me").json["role"] == "admin"
    assert office.admin.delete(path).status == 204
    problem(token.get("/auth/me"), 401, "authentication_failed")
    problem(office.admin.delete(path), 404, "not_found")


def test_the_last_admin_stays(office: Office) -> None:
    admin = office.admin
    [row] = office.member.get("/memberships?role=admin").results

    for answer in (
        admin.patch(f"/memberships/{row['id']}", {"role": "member"}),
        admin.delete(f"/memberships/{row['id']}"),
    ):
        assert "admin" in problem(answer, 409, "conflict")["detail"]
    office.join("admin")
    assert admin.delete(f"/memberships/{row['id']}").status == 204
    problem(admin.get("/memberships"), 401, "authentication_failed")
