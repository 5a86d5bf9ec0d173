"""Signing in: a password for a token, without a word about who has an account."""

import itertools
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from pytest_django import Settings

from tests.api.client import PASSWORD, Answer, Api, Office
from tests.api.problems import problem
from tests.api.threads import together
from tests.database import Database

ACCOUNT_LIMIT = 10
ADDRESS_LIMIT = 100

_numbers = itertools.count(1)


class CountingHasher(PBKDF2PasswordHasher):
    """Django's own, with less work, which it counts."""

    iterations = 1000
    runs: ClassVar[list[None]] = []

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        self.runs.append(None)
        return str(super().encode(password, salt, iterations))


@pytest.fixture(autouse=True)
def hasher(settings: Settings) -> type[CountingHasher]:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.runs.clear()
    return CountingHasher


@pytest.fixture
def door() -> Api:
    """The API at an address that nobody else comes from."""
    return at_new_address()


def at_new_address() -> Api:
    number = next(_numbers)
    return Api(address=f"172.16.{number // 250}.{number % 250}")


def email_of(office: Office, user_id: int) -> str:
    return str(office.worker.value('SELECT email FROM "user" WHERE id = %s', user_id))


def person(office: Office, role: str | None = "member", **columns: Any) -> str:
    """Somebody with the password; the address."""
    user_id = office.join(role) if role else office.user()
    columns = {"password": make_password(PASSWORD), **columns}
    for column, value in columns.items():
        office.worker.execute(f'UPDATE "user" SET {column} = %s WHERE id = %s', value, user_id)
    return email_of(office, user_id)


def sign_in(door: Api, email: str, password: str = PASSWORD, **more: Any) -> Answer:
    return door.post("/auth/login", {"email": email, "password": password, **more})


def without_request_id(answer: Answer) -> tuple[int, dict[str, Any], dict[str, str]]:
    headers = {name: v for name, v in answer.headers.items() if name != "x-request-id"}
    return answer.status, answer.json | {"request_id": ""}, headers


# In


def test_a_password_becomes_a_token_that_works(office: Office, door: Api) -> None:
    answer = sign_in(door, person(office, "admin"))

    assert answer.status == 200, answer.content
    assert set(answer.json) == {"token", "token_id", "scope", "expires_at", "customer"}
    assert answer.json["scope"] == "write"
    assert answer.json["customer"] == office.customer_id
    me = Api(answer.json["token"]).get("/auth/me").json
    assert me["customer_slug"] == office.slug
    assert (me["role"], me["scope"]) == ("admin", "write")
    assert me["token_id"] == answer.json["token_id"]
    assert office.rows("api_token")[-1]["name"] == f"signed in on {now():%Y-%m-%d}"


def test_the_token_is_kept_as_a_digest_only(office: Office, door: Api) -> None:
    token = sign_in(door, person(office)).json["token"]

    [row] = office.rows("api_token")
    assert token.startswith(row["prefix"])
    assert token not in str(row)


def test_scope_and_lifetime_are_those_that_were_asked_for(office: Office, door: Api) -> None:
    answer = sign_in(door, person(office), scope="read", days=3).json

    assert answer["scope"] == "read"
    left = (parse_datetime(answer["expires_at"]) or now()) - now()
    assert timedelta(days=2) < left <= timedelta(days=3)
    found = Api(answer["token"]).post("/tokens", {"name": "x", "scope": "read"})
    problem(found, 403, "permission_denied")


@pytest.mark.parametrize("change", [str.upper, str.title, lambda email: f"  {email} "])
def test_the_address_may_be_written_in_any_case(
    office: Office, door: Api, change: Callable[[str], str]
) -> None:
    assert sign_in(door, change(person(office))).status == 200


def test_the_password_is_taken_as_it_is(office: Office, door: Api) -> None:
    password = " Pass\u00e4 \u202e🂡 "  # noqa: S105
    email = person(office, password=make_password(password))

    assert sign_in(door, email, password).status == 200
    for other in (password.strip(), password.lower(), password + " "):
        assert sign_in(door, email, other).status == 401


def test_a_member_of_several_customers_says_for_which(
    office: Office, neighbour: Office, door: Api
) -> None:
    email = person(office)
    user_id = office.rows("membership")[0]["user_id"]
    office.worker.execute(
        "INSERT INTO membership (customer_id, user_id, role) VALUES (%s, %s, 'admin')",
        neighbour.customer_id,
        user_id,
    )

    unsaid = sign_in(door, email)
    found = problem(unsaid, 400, "validation_error")
    assert unsaid.blamed() == {"customer"}
    names = ", ".join(sorted([office.slug, neighbour.slug]))
    assert names in found["errors"][0]["detail"]
    for customer, role in ((office, "member"), (neighbour, "admin")):
        token = sign_in(door, email, customer=customer.slug).json["token"]
        me = Api(token).get("/auth/me").json
        assert (me["customer"], me["role"]) == (customer.customer_id, role)


def test_another_customer_and_one_that_there_isnt_are_denied_alike(
    office: Office, neighbour: Office, door: Api
) -> None:
    email = person(office)
    answers = [sign_in(door, email, customer=slug) for slug in (neighbour.slug, "no-such-practice")]

    problem(answers[0], 403, "permission_denied")
    assert without_request_id(answers[0]) == without_request_id(answers[1])


def test_a_suspended_customer_lets_nobody_in(office: Office, door: Api) -> None:
    email = person(office)
    token = sign_in(door, email).json["token"]
    office.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", office.customer_id
    )

    problem(Api(token).get("/auth/me"), 401, "authentication_failed")
    for more in ({}, {"customer": office.slug}):
        problem(sign_in(door, email, **more), 403, "permission_denied")
    office.worker.execute("UPDATE customer SET status = 'active' WHERE id = %s", office.customer_id)
    problem(Api(token).get("/auth/me"), 401, "authentication_failed")
    assert sign_in(door, email).status == 200


def test_somebody_without_a_customer_is_denied(office: Office, door: Api) -> None:
    problem(sign_in(door, person(office, None)), 403, "permission_denied")


def test_a_superuser_works_at_all_customers(office: Office, neighbour: Office, door: Api) -> None:
    email = person(office, None, is_superuser=True)
    answer = sign_in(door, email)
    root = Api(answer.json["token"])

    assert answer.json["customer"] is None
    me = root.get("/auth/me").json
    assert (me["is_superuser"], me["customer"], me["role"]) == (True, None, None)
    for customer in (office, neighbour):
        assert root.get(f"/customers/{customer.customer_id}").status == 200
    problem(sign_in(door, email, customer=office.slug), 403, "permission_denied")


# Nobody learns who has an account


def test_all_ways_to_fail_are_one_answer_and_the_same_work(
    office: Office, hasher: type[CountingHasher]
) -> None:
    emails = {
        "unknown": "nobody@example.org",
        "wrong password": person(office),
        "disabled": person(office, is_active=False),
        "without a password": person(office, password="!"),  # noqa: S106
        "disabled superuser": person(office, None, is_superuser=True, is_active=False),
        "without a customer": person(office, None),
    }
    answers = {}
    for name, email in emails.items():
        hasher.runs.clear()
        answers[name] = without_request_id(sign_in(at_new_address(), email, "wrong"))
        assert len(hasher.runs) == 1, name
    hasher.runs.clear()
    answers["disabled, right password"] = without_request_id(
        sign_in(at_new_address(), emails["disabled"])
    )

    assert len(hasher.runs) == 1
    found = problem(sign_in(at_new_address(), "nobody@example.org"), 401, "authentication_failed")
    assert found["errors"] == []
    assert len({str(answer) for answer in answers.values()}) == 1


def test_the_throttle_counts_accounts_that_there_arent_as_well(
    office: Office, hasher: type[CountingHasher]
) -> None:
    known, unknown = person(office), f"nobody-{office.slug}@example.org"
    statuses = {
        email: [sign_in(at_new_address(), email, "wrong").status for _ in range(12)]
        for email in (known, unknown)
    }

    assert statuses[known] == statuses[unknown] == [401] * 10 + [429] * 2


# Guesses are counted


def test_the_eleventh_guess_at_an_account_has_to_wait(
    office: Office, hasher: type[CountingHasher]
) -> None:
    email = person(office)
    for _ in range(ACCOUNT_LIMIT):
        problem(sign_in(at_new_address(), email, "wrong"), 401, "authentication_failed")
    hasher.runs.clear()

    for password in ("wrong", PASSWORD):
        answer = sign_in(at_new_address(), email, password)
        problem(answer, 429, "throttled")
        assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    assert len(hasher.runs) == 0
    assert sign_in(at_new_address(), person(office)).status == 200


def test_another_spelling_is_the_same_account(office: Office) -> None:
    """U+212A, KELVIN SIGN, is a k in lower case, and e-mail fields take it."""
    email = person(office)
    local = f"kkkk-{os.getpid()}-{next(_numbers)}"
    office.worker.execute(
        'UPDATE "user" SET email = %s WHERE email = %s', f"{local}@example.org", email
    )
    spellings = [
        "".join(letters) + local.removeprefix("kkkk") + "@example.org"
        for letters in itertools.product("kK\u212a", repeat=4)
    ]

    statuses = [sign_in(at_new_address(), spelling, "wrong").status for spelling in spellings[:20]]
    assert statuses == [401] * ACCOUNT_LIMIT + [429] * 10


def test_the_hundred_and_first_guess_from_an_address_has_to_wait(
    office: Office, door: Api, hasher: type[CountingHasher]
) -> None:
    statuses = [
        sign_in(door, f"guess-{number}-{office.slug}@example.org").status
        for number in range(ADDRESS_LIMIT + 1)
    ]

    assert statuses == [401] * ADDRESS_LIMIT + [429]
    answer = sign_in(door, person(office))
    problem(answer, 429, "throttled")
    assert len(hasher.runs) == ADDRESS_LIMIT + 1  # the last one made the password
    assert sign_in(at_new_address(), person(office)).status == 200


def test_a_right_password_forgives_the_account_but_not_the_address(
    office: Office, door: Api
) -> None:
    email = person(office)
    for _ in range(3):
        for _ in range(ACCOUNT_LIMIT - 1):
            assert sign_in(door, email, "wrong").status == 401
        assert sign_in(door, email).status == 200
    for number in range(ADDRESS_LIMIT - 30):
        assert sign_in(door, f"other-{number}-{office.slug}@example.org").status == 401

    assert sign_in(door, email).status == 429


def test_guesses_at_the_same_time_never_exceed_the_limit(
    office: Office, hasher: type[CountingHasher]
) -> None:
    email = person(office)
    hasher.runs.clear()
    doors = [at_new_address() for _ in range(50)]
    answers = together([partial(sign_in, door, email, "wrong") for door in doors])
    statuses = sorted(answer.status for answer in answers)

    assert statuses == [401] * ACCOUNT_LIMIT + [429] * 40
    assert len(hasher.runs) == ACCOUNT_LIMIT


def test_guesses_are_still_known_when_the_request_failed(office: Office, owner: Database) -> None:
    """They are committed before the password is looked at, whatever happens then."""
    email = person(office, None)
    for _ in range(ACCOUNT_LIMIT):
        sign_in(at_new_address(), email, "wrong")
    rows = "SELECT attempts FROM login_throttle WHERE key = encode(sha256(%s), 'hex')"

    assert owner.value(rows, b"account:" + email.encode()) == ACCOUNT_LIMIT
    text = str(owner.dicts("SELECT * FROM login_throttle"))
    assert email not in text
    assert "172.16." not in text


def test_what_is_no_attempt_is_not_counted(office: Office, door: Api, owner: Database) -> None:
    email = person(office)
    for body in ({"email": email}, {"email": "x", "password": "y"}, {"email": email, "x": 1}):
        for _ in range(ACCOUNT_LIMIT):
            problem(door.post("/auth/login", body), 400, "validation_error")

    assert sign_in(door, email).status == 200


def test_a_forwarded_address_of_the_clients_own_making_is_not_believed(office: Office) -> None:
    door = at_new_address()
    for number in range(ADDRESS_LIMIT):
        door.request(
            "POST",
            "/auth/login",
            {"email": f"f-{number}-{office.slug}@example.org", "password": "x"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        )

    assert sign_in(door, person(office)).status == 429


# Out


@pytest.mark.parametrize("scope", ["read", "write"])
def test_signing_out_ends_the_token_and_no_other(office: Office, door: Api, scope: str) -> None:
    email = person(office)
    first, second = (Api(sign_in(door, email, scope=scope).json["token"]) for _ in range(2))

    answer = first.request("POST", "/auth/logout")
    assert (answer.status, answer.content) == (204, b"")
    problem(first.get("/auth/me"), 401, "authentication_failed")
    problem(first.request("POST", "/auth/logout"), 401, "authentication_failed")
    assert second.get("/auth/me").status == 200


def test_a_superuser_signs_out(office: Office, door: Api) -> None:
    root = Api(sign_in(door, person(office, None, is_superuser=True)).json["token"])

    narrowed = root.request("POST", f"/auth/logout?customer={office.slug}")
    problem(narrowed, 400, "validation_error")
    assert narrowed.blamed() == {"customer"}
    assert root.request("POST", "/auth/logout").status == 204
    problem(root.get("/auth/me"), 401, "authentication_failed")


# Me


def test_me_is_who_the_database_says_right_now(office: Office) -> None:
    user_id = office.join("admin")
    api = Api(office.token(user_id, "read"))

    assert api.get("/auth/me").json == {
        "user": user_id,
        "email": email_of(office, user_id),
        "is_superuser": False,
        "customer": office.customer_id,
        "customer_slug": office.slug,
        "role": "admin",
        "scope": "read",
        "token_id": office.rows("api_token")[0]["id"],
    }
    office.worker.execute("UPDATE membership SET role = 'member' WHERE user_id = %s", user_id)
    assert api.get("/auth/me").json["role"] == "member"
    office.worker.execute('UPDATE "user" SET is_active = false WHERE id = %s', user_id)
    problem(api.get("/auth/me"), 401, "authentication_failed")


def test_a_superuser_may_look_as_a_customer(office: Office, superuser: Api) -> None:
    me = superuser.get(f"/auth/me?customer={office.customer_id}").json

    assert (me["is_superuser"], me["customer_slug"]) == (True, office.slug)
