"""Tokens: shown once, listed without themselves, ended at once."""

from datetime import timedelta

import pytest
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now

from tests.api.client import Api, Office
from tests.api.lists import ids
from tests.api.problems import problem


def test_a_token_is_shown_once_and_works(office: Office) -> None:
    answer = office.member.post("/tokens", {"name": "nightly import", "scope": "write", "days": 7})

    assert answer.status == 201, answer.content
    token = answer.json["token"]
    assert token.startswith(answer.json["prefix"])
    assert answer.headers["location"].endswith(f"/api/v1/tokens/{answer.json['id']}")
    left = (parse_datetime(answer.json["expires_at"]) or now()) - now()
    assert timedelta(days=6) < left <= timedelta(days=7)
    assert Api(token).get("/auth/me").json["token_id"] == answer.json["id"]

    shown = office.member.get(answer.headers["location"])
    assert (shown.status, shown.json["name"]) == (200, "nightly import")
    for listed in (shown, office.member.get("/tokens"), office.admin.get("/tokens")):
        assert token not in listed.content.decode()
        assert b"digest" not in listed.content


def test_a_token_is_for_ninety_days_unless_it_says_so(office: Office) -> None:
    answer = office.member.post("/tokens", {"name": "x", "scope": "read"}).json

    left = (parse_datetime(answer["expires_at"]) or now()) - now()
    assert timedelta(days=89) < left <= timedelta(days=90)


def test_what_a_token_was_last_used_for_is_known_to_the_minute(office: Office) -> None:
    answer = office.member.post("/tokens", {"name": "x", "scope": "read"}).json
    before = office.member.get(f"/tokens/{answer['id']}").json["last_used_at"]
    Api(answer["token"]).get("/auth/me")
    after = office.member.get(f"/tokens/{answer['id']}").json["last_used_at"]

    assert before is None
    assert parse_datetime(after) is not None


def test_members_see_and_end_their_own_tokens_and_admins_everybodys(office: Office) -> None:
    member, admin = office.member, office.admin
    mine = member.post("/tokens", {"name": "mine", "scope": "read"}).json["id"]
    theirs = admin.post("/tokens", {"name": "theirs", "scope": "read"}).json["id"]

    assert mine in ids(member.get("/tokens").results)
    assert theirs not in ids(member.get("/tokens").results)
    assert {mine, theirs} <= set(ids(admin.get("/tokens").results))
    problem(member.get(f"/tokens/{theirs}"), 404, "not_found")
    problem(member.delete(f"/tokens/{theirs}"), 404, "not_found")
    assert admin.delete(f"/tokens/{mine}").status == 204
    assert ids(office.rows("api_token")).count(mine) == 0


def test_an_ended_token_is_void_at_once_and_ending_it_again_finds_nothing(office: Office) -> None:
    made = office.member.post("/tokens", {"name": "x", "scope": "write"}).json
    bearer = Api(made["token"])

    assert bearer.get("/auth/me").status == 200
    assert office.member.delete(f"/tokens/{made['id']}").status == 204
    problem(bearer.get("/auth/me"), 401, "authentication_failed")
    problem(office.member.delete(f"/tokens/{made['id']}"), 404, "not_found")


def test_a_token_may_end_itself(office: Office) -> None:
    made = office.member.post("/tokens", {"name": "x", "scope": "write"}).json
    bearer = Api(made["token"])

    assert bearer.delete(f"/tokens/{made['id']}").status == 204
    problem(bearer.get("/auth/me"), 401, "authentication_failed")


def test_an_expired_token_is_void(office: Office) -> None:
    made = office.member.post("/tokens", {"name": "x", "scope": "read"}).json
    office.owner.execute(
        "UPDATE api_token SET created_at = now() - interval '2 days',"
        " expires_at = now() - interval '1 second' WHERE id = %s",
        made["id"],
    )

    found = problem(Api(made["token"]).get("/auth/me"), 401, "authentication_failed")
    assert found["detail"] == "The token is unknown or has expired."


@pytest.mark.parametrize("path", ["/tokens", "/tokens/1"])
def test_a_token_is_not_changed(office: Office, path: str) -> None:
    problem(office.member.patch(path, {"scope": "write"}), 405, "method_not_allowed")


def test_a_superuser_has_tokens_of_their_own(superuser: Api, office: Office) -> None:
    made = superuser.post("/tokens", {"name": "x", "scope": "read"})

    assert made.status == 201, made.content
    assert made.json["customer"] is None
    assert Api(made.json["token"]).get("/auth/me").json["is_superuser"] is True
    problem(office.admin.get(f"/tokens/{made.json['id']}"), 404, "not_found")
    assert superuser.delete(f"/tokens/{made.json['id']}").status == 204
    problem(Api(made.json["token"]).get("/auth/me"), 401, "authentication_failed")


def test_a_superuser_who_is_no_member_gets_no_token_of_a_customer(
    superuser: Api, office: Office
) -> None:
    answer = superuser.post(f"/tokens?customer={office.slug}", {"name": "x", "scope": "read"})

    problem(answer, 403, "permission_denied")
    assert office.rows("api_token") == []


def test_tokens_leave_a_trail_without_their_digests(office: Office) -> None:
    made = office.member.post("/tokens", {"name": "x", "scope": "read"}).json
    office.member.delete(f"/tokens/{made['id']}")

    entries = office.member.get(f"/audit?table_name=api_token&row_id={made['id']}").results
    assert [entry["operation"] for entry in entries] == ["delete", "insert"]
    assert {entry["actor"] for entry in entries} == {made["user"]}
    assert all("digest" not in entry["changes"] for entry in entries)
