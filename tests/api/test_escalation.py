"""Nobody gets more rights by the API than somebody with those rights gives them."""

import pytest
from django.contrib.auth.hashers import make_password

from tests.api.client import PASSWORD, Api, Office, without_request_id
from tests.api.worlds import MISSING
from tests.database import Database

pytestmark = pytest.mark.usefixtures("cheap_passwords")


def membership_of(office: Office, user_id: int) -> int:
    membership_id: int = office.worker.value(
        "SELECT id FROM membership WHERE customer_id = %s AND user_id = %s",
        office.customer_id,
        user_id,
    )
    return membership_id


def roles(office: Office) -> dict[int, str]:
    return {row["user_id"]: row["role"] for row in office.rows("membership")}


def test_members_cannot_make_themselves_admins(office: Office) -> None:
    user_id = office.join("member")
    api = Api(office.token(user_id))
    email = office.worker.value('SELECT email FROM "user" WHERE id = %s', user_id)

    path = f"/memberships/{membership_of(office, user_id)}"
    assert api.patch(path, {"role": "admin"}).status == 403
    assert api.delete(path).status == 403
    assert api.post("/memberships", {"email": email, "role": "admin"}).status == 403
    assert api.post("/memberships", {"email": "x@example.org", "role": "admin"}).status == 403
    assert roles(office) == {user_id: "member"}


def test_being_added_again_does_not_change_a_role(office: Office) -> None:
    user_id = office.join("member")
    email = office.worker.value('SELECT email FROM "user" WHERE id = %s', user_id)

    answer = office.admin.post("/memberships", {"email": email.upper(), "role": "admin"})

    assert (answer.status, answer.blamed()) == (409, {"email"})
    assert roles(office)[user_id] == "member"


def test_admins_cannot_touch_another_customers_members(office: Office, neighbour: Office) -> None:
    user_id = neighbour.join("member")
    before = roles(neighbour)
    for method, body in (("PATCH", {"role": "admin"}), ("DELETE", None), ("GET", None)):
        answers = [
            office.admin.request(method, f"/memberships/{pk}", body)
            for pk in (membership_of(neighbour, user_id), MISSING)
        ]
        assert answers[0].status == 404
        assert without_request_id(answers[0]) == without_request_id(answers[1])
    assert roles(neighbour) == before


def test_the_last_admin_stays(office: Office) -> None:
    user_id = office.join("admin")
    api = Api(office.token(user_id))
    path = f"/memberships/{membership_of(office, user_id)}"
    # Somebody who can't sign in could not manage anything.
    other_id = office.join("admin")
    office.worker.execute('UPDATE "user" SET is_active = false WHERE id = %s', other_id)

    assert api.patch(path, {"role": "member"}).code == "conflict"
    assert api.delete(path).code == "conflict"
    assert roles(office)[user_id] == "admin"

    office.worker.execute('UPDATE "user" SET is_active = true WHERE id = %s', other_id)
    assert api.patch(path, {"role": "member"}).status == 200
    assert api.patch(path, {"role": "admin"}).status == 403


def test_adding_somebody_elses_user_changes_nothing_elsewhere(
    office: Office, neighbour: Office, owner: Database
) -> None:
    user_id = neighbour.join("member")
    theirs = Api(neighbour.token(user_id))
    user = owner.dicts('SELECT * FROM "user" WHERE id = %s', user_id)

    answer = office.admin.post(
        "/memberships", {"email": user[0]["email"], "name": "Mallory", "role": "admin"}
    )

    assert answer.status == 201
    assert owner.dicts('SELECT * FROM "user" WHERE id = %s', user_id) == user
    assert roles(neighbour)[user_id] == "member"
    assert theirs.post("/payers", {"name": "Aetna"}).status == 403
    assert theirs.get("/auth/me").json["customer"] == neighbour.customer_id
    # Nor does the new membership reach beyond.
    assert office.admin.delete(f"/memberships/{answer.json['id']}").status == 204
    assert theirs.get("/auth/me").status == 200


def test_adding_a_superuser_gives_nobody_a_superusers_rights(
    office: Office, neighbour: Office, superuser: Api
) -> None:
    email = superuser.get("/auth/me").json["email"]

    answer = office.admin.post("/memberships", {"email": email, "role": "member"})

    assert answer.status == 201
    assert office.admin.get(f"/payers?customer={neighbour.slug}").status == 403
    # The superuser may have a token here now, which is a member's.
    token = superuser.post(
        f"/tokens?customer={office.slug}", {"name": "here", "scope": "write"}
    ).json["token"]
    assert Api(token).get("/auth/me").json["role"] == "member"
    assert Api(token).post("/payers", {"name": "Aetna"}).status == 403


def test_only_superusers_add_customers(office: Office, superuser: Api) -> None:
    body = {"name": "New", "slug": f"new-{office.slug}"}
    for api in (office.member, office.admin):
        assert api.post("/customers", body).status == 403
        path = f"/customers/{office.customer_id}"
        assert api.patch(path, {"name": "Mine", "status": "suspended"}).status == 403
    assert superuser.post("/customers", body).status == 201


def test_a_token_for_reading_makes_none_for_writing(office: Office) -> None:
    reader = office.api("admin", "read")

    assert reader.post("/tokens", {"name": "more", "scope": "write"}).status == 403
    assert reader.get("/auth/me").json["scope"] == "read"
    # It may only end itself.
    assert reader.post("/auth/logout").status == 204


def test_signing_in_reaches_the_own_customers_alone(
    office: Office, neighbour: Office, nobody: Api, owner: Database
) -> None:
    user_id = office.join("admin")
    email = owner.value('SELECT email FROM "user" WHERE id = %s', user_id)
    owner.execute('UPDATE "user" SET password = %s WHERE id = %s', make_password(PASSWORD), user_id)
    owner.execute("DELETE FROM login_throttle")
    body = {"email": email, "password": PASSWORD}

    elsewhere, nowhere = (
        nobody.post("/auth/login", body | {"customer": slug}) for slug in (neighbour.slug, "nobody")
    )
    assert elsewhere.status == 403
    assert without_request_id(elsewhere) == without_request_id(nowhere)
    assert nobody.post("/auth/login", body).json["customer"] == office.customer_id

    office.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", office.customer_id
    )
    assert without_request_id(
        nobody.post("/auth/login", body | {"customer": office.slug})
    ) == without_request_id(nowhere)
    assert office.rows("api_token") == []
