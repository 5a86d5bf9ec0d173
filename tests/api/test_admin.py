"""The admin: superusers only, as claimdrift_platform, on the record, throttled."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse

from api.admin import BoundedPaginator
from core.models import User
from tests.database import Database
from tests.portfolio import Portfolio
from tests.tenancy.access import member, token_of

PASSWORD = "correct horse battery staple"  # noqa: S105
SEALED = b"sealed with seven seals"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
LOGIN = "/admin/login/"
FAST = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])


@dataclass
class Visitor:
    """A browser in which forms are filled in and sent with their CSRF token."""

    client: Client
    email: str
    user_id: int

    def send(self, url: str, **fields: Any) -> Any:
        page = self.client.get(url)
        assert page.status_code == 200, (url, page.status_code)
        [token, *_] = TOKEN.findall(page.content.decode())
        return self.client.post(url, {"csrfmiddlewaretoken": token, **fields})

    def sign_in(self, password: str = PASSWORD, email: str | None = None) -> Any:
        return self.send(LOGIN, username=email or self.email, password=password, next="/admin/")


@pytest.fixture
def visitor(browser: Client, portfolio: Portfolio, owner: Database) -> Iterator[Visitor]:
    """A superuser who isn't signed in yet."""
    user_id = portfolio.user()
    email = owner.value('SELECT email FROM "user" WHERE id = %s', user_id)
    with FAST:
        user = User(email=email)
        user.set_password(PASSWORD)
        owner.execute(
            'UPDATE "user" SET password = %s, is_superuser = true WHERE id = %s',
            user.password,
            user_id,
        )
        yield Visitor(browser, email, user_id)


@pytest.fixture
def boss(visitor: Visitor) -> Visitor:
    """A superuser who is signed in."""
    assert visitor.sign_in().status_code == 302
    return visitor


# Signing in


def test_a_superuser_signs_in_and_out(visitor: Visitor, owner: Database) -> None:
    response = visitor.sign_in()

    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert visitor.client.get("/admin/").status_code == 200
    cookie = response.cookies["sessionid"]
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/admin/", "Strict", True)
    assert owner.value('SELECT last_login FROM "user" WHERE id = %s', visitor.user_id)
    assert owner.value("SELECT count(*) FROM django_session") == 0

    page = visitor.client.get("/admin/")
    [token, *_] = TOKEN.findall(page.content.decode())
    visitor.client.post("/admin/logout/", {"csrfmiddlewaretoken": token})
    assert visitor.client.get("/admin/")["Location"].startswith(LOGIN)


@pytest.mark.parametrize(
    "change", ["is_superuser = false, is_staff = true", "is_active = false", "password = '!'"]
)
def test_nobody_else_does(visitor: Visitor, owner: Database, change: str) -> None:
    owner.execute(f'UPDATE "user" SET {change} WHERE id = %s', visitor.user_id)

    response = visitor.sign_in()

    assert response.status_code == 200
    assert "Please enter the correct" in response.content.decode()
    assert visitor.client.get("/admin/")["Location"].startswith(LOGIN)


@pytest.mark.parametrize("change", ["is_superuser = false", "is_active = false", "password = '!'"])
def test_a_session_ends_with_the_right_to_it(boss: Visitor, owner: Database, change: str) -> None:
    owner.execute(f'UPDATE "user" SET {change} WHERE id = %s', boss.user_id)

    assert boss.client.get("/admin/")["Location"].startswith(LOGIN)


def test_without_its_csrf_token_no_form_is_taken(boss: Visitor, owner: Database) -> None:
    for url in (LOGIN, "/admin/core/customer/add/"):
        response = boss.client.post(url, {"slug": "forged", "name": "Forged", "time_zone": "UTC"})

        assert response.status_code == 403
    assert owner.value("SELECT count(*) FROM customer WHERE slug = 'forged'") == 0


def test_the_eleventh_guess_is_not_looked_at(visitor: Visitor) -> None:
    for number in range(10):
        # A blank more is no other account.
        email = " " * number + visitor.email.upper()
        assert visitor.sign_in("wrong", email).status_code == 200

    response = visitor.sign_in()

    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 900
    assert visitor.client.get("/admin/")["Location"].startswith(LOGIN)


def test_a_right_password_clears_the_account(visitor: Visitor) -> None:
    for _ in range(9):
        visitor.sign_in("wrong")
    assert visitor.sign_in().status_code == 302
    visitor.client.cookies.clear()
    for _ in range(9):
        assert visitor.sign_in("wrong").status_code == 200


def test_names_that_the_database_can_not_hold_are_no_error(visitor: Visitor) -> None:
    for email in ("a\0b", "x" * 5000, "", "\ufffd"):
        assert visitor.sign_in("wrong", email or " ").status_code == 200


# Looking


def lists() -> list[str]:
    return sorted(
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    )


@pytest.mark.parametrize("url", lists())
def test_every_list_opens(boss: Visitor, portfolio: Portfolio, url: str) -> None:
    fill(portfolio)

    assert boss.client.get(url).status_code == 200


def fill(portfolio: Portfolio) -> None:
    """One alert with all that leads to it and an endpoint that is told, a token, a job."""
    endpoint_id = portfolio.worker.value(
        "SELECT webhooks.create_endpoint(%s, 'https://example.com/', '', '{}', NULL, %s, 'key')",
        portfolio.customer_id,
        SEALED,
    )
    portfolio.decide_period(date(2025, 10, 1), date(2026, 5, 18), per_day=3, rate=0.1)
    portfolio.decide_period(date(2026, 5, 18), date(2026, 6, 1), per_day=10, rate=0.9)
    portfolio.detect(date(2026, 6, 1))
    portfolio.acknowledge()
    portfolio.judge(portfolio.alert()["id"], portfolio.user(), "real")
    delivery_id = portfolio.worker.value(
        "SELECT webhooks.send_test(%s, %s)", portfolio.customer_id, endpoint_id
    )
    attempt = portfolio.worker.one(
        "SELECT attempt FROM webhooks.begin_attempt(%s, %s)", portfolio.customer_id, delivery_id
    )
    portfolio.worker.execute(
        "SELECT webhooks.finish_attempt(%s, %s, %s, 1, 200)",
        portfolio.customer_id,
        delivery_id,
        attempt["attempt"],
    )
    token_of(portfolio, member(portfolio))
    portfolio.worker.execute(
        "SELECT drift.queue_detection(p_customer_id => %s)", portfolio.customer_id
    )


def test_every_row_opens_and_none_shows_a_secret(
    boss: Visitor, portfolio: Portfolio, owner: Database
) -> None:
    fill(portfolio)
    digest = owner.value(
        "SELECT digest FROM api_token WHERE customer_id = %s", portfolio.customer_id
    )
    seen = 0
    for model, options in admin.site._registry.items():
        row = owner.execute(f'SELECT max(id) FROM "{model._meta.db_table}"')[0][0]
        if row is None:
            continue
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row])
        text = boss.client.get(url).content.decode()
        assert str(options.opts.verbose_name).lower() in text.lower(), url
        assert digest not in text
        assert "ciphertext" not in text.lower()
        assert SEALED.decode() not in text
        seen += 1

    assert seen > 20


def test_every_table_is_shown_or_left_out_on_purpose() -> None:
    shown = {model.__name__ for model in admin.site._registry}
    ours = {model.__name__ for model in apps.get_app_config("core").get_models()}

    assert ours - shown == {"LoginThrottle", "UploadChunk"}
    assert shown - ours == {"LogEntry", "ProcrastinateJob"}


def test_a_list_of_claims_counts_no_further_than_it_must(
    boss: Visitor, portfolio: Portfolio
) -> None:
    portfolio.decide(date(2026, 6, 1), paid=60)
    with CaptureQueriesContext(connection) as queries:
        response = boss.client.get(
            f"/admin/core/claim/?customer__id__exact={portfolio.customer_id}"
        )
    statements = [query["sql"] for query in queries if '"claim"' in query["sql"]]

    assert "60 claims" in response.content.decode()
    counts = [statement for statement in statements if "COUNT(" in statement]
    assert counts
    assert all("LIMIT 10000" in statement for statement in counts)
    assert len(statements) == len(counts) + 1


def test_the_paginator_stops_counting() -> None:
    class Rows(list[int]):
        def __getitem__(self, item: Any) -> Any:
            return Rows(super().__getitem__(item))

        def count(self, *arguments: object) -> int:
            return len(self)

    assert BoundedPaginator(Rows(range(20_000)), 50).count == 10_000
    assert BoundedPaginator(Rows(range(60)), 50).num_pages == 2


def test_what_is_shown_can_not_be_changed(boss: Visitor, portfolio: Portfolio) -> None:
    portfolio.decide(date(2026, 6, 1), paid=1)
    [claim] = portfolio.rows("claim")
    url = f"/admin/core/claim/{claim['id']}"
    page = boss.client.get(f"{url}/change/").content.decode()

    assert "Save" not in page
    for other in ("/admin/core/claim/add/", f"{url}/delete/"):
        assert boss.client.get(other).status_code == 403
    [token, *_] = TOKEN.findall(page)
    response = boss.client.post(
        f"{url}/change/", {"csrfmiddlewaretoken": token, "outcome": "DENIED"}
    )
    assert response.status_code == 403
    assert portfolio.rows("claim") == [claim]


# Changing


def test_a_customer_is_added_and_changed(
    boss: Visitor, owner: Database, portfolio: Portfolio
) -> None:
    slug = f"new-{portfolio.slug}"
    added = boss.send(
        "/admin/core/customer/add/",
        slug=slug, name="New Practice", time_zone="America/Chicago", status="active",
    )  # fmt: skip
    assert added.status_code == 302, added.content.decode()
    customer = owner.one("SELECT * FROM customer WHERE slug = %s", slug)
    assert owner.value("SELECT count(*) FROM drift_settings WHERE customer_id = %s", customer["id"])

    url = f"/admin/core/customer/{customer['id']}/change/"
    changed = boss.send(url, slug="other", name="Renamed", time_zone="UTC", status="suspended")
    assert changed.status_code == 302
    row = owner.one("SELECT * FROM customer WHERE id = %s", customer["id"])
    assert (row["slug"], row["name"], row["time_zone"], row["status"]) == (
        slug,
        "Renamed",
        "UTC",
        "suspended",
    )
    log = owner.dicts(
        "SELECT action_flag FROM django_admin_log WHERE user_id = %s ORDER BY id", boss.user_id
    )
    assert [entry["action_flag"] for entry in log] == [1, 2]


def test_a_refusal_of_the_database_comes_back_as_a_message(
    boss: Visitor, owner: Database, portfolio: Portfolio
) -> None:
    url = f"/admin/core/customer/{portfolio.customer_id}/change/"
    response = boss.send(url, name="X", time_zone="Mars/Olympus", status="active")

    assert response.status_code == 302
    assert "no time zone named &#x27;Mars/Olympus&#x27;" in boss.client.get(url).content.decode()
    assert owner.value(
        "SELECT time_zone FROM customer WHERE id = %s", portfolio.customer_id
    ) == "UTC"  # fmt: skip


def test_a_membership_is_recorded_with_the_superuser(
    boss: Visitor, portfolio: Portfolio, owner: Database
) -> None:
    user_id = portfolio.user()
    added = boss.send(
        "/admin/core/membership/add/",
        user=user_id, customer=portfolio.customer_id, role="admin",
    )  # fmt: skip
    assert added.status_code == 302, added.content.decode()
    [row] = portfolio.rows("membership")
    url = f"/admin/core/membership/{row['id']}"
    assert boss.send(f"{url}/change/", role="member").status_code == 302
    assert boss.send(f"{url}/delete/", post="yes").status_code == 302

    entries = [e for e in portfolio.rows("audit_entry") if e["table_name"] == "membership"]
    assert [(e["operation"], e["actor_id"]) for e in entries] == [
        ("insert", boss.user_id),
        ("update", boss.user_id),
        ("delete", boss.user_id),
    ]
    assert entries[1]["changes"] == {"role": ["admin", "member"]}
    assert {e["login"] for e in entries} == {"claimdrift_web"}


def test_a_user_is_added_and_gets_another_password(boss: Visitor, owner: Database) -> None:
    email = f"new-{boss.email}"
    added = boss.send(
        "/admin/core/user/add/",
        email=f" {email.upper()}", name="New", usable_password="true",  # noqa: S106
        password1=PASSWORD, password2=PASSWORD,
    )  # fmt: skip
    assert added.status_code == 302, added.content.decode()
    user = owner.one('SELECT * FROM "user" WHERE email = %s', email)
    assert (user["is_superuser"], user["is_staff"], user["is_active"]) == (False, False, True)

    url = f"/admin/core/user/{user['id']}"
    promoted = boss.send(f"{url}/change/", email=email, name="", is_active="on", is_superuser="on")
    assert promoted.status_code == 302, promoted.content.decode()
    changed = boss.send(
        f"{url}/password/",
        usable_password="true",  # noqa: S106
        password1="another long word", password2="another long word",
    )  # fmt: skip
    assert changed.status_code == 302, changed.content.decode()
    boss.client.cookies.clear()
    assert boss.sign_in("another long word", email).status_code == 302


def test_a_request_that_fails_changes_nothing_and_leaves_no_role(
    boss: Visitor, owner: Database, portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("Jane Doe")

    monkeypatch.setattr("api.admin.CustomerAdmin.response_change", fail)
    url = f"/admin/core/customer/{portfolio.customer_id}/change/"
    response = boss.send(url, name="Half", time_zone="UTC", status="active")

    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert owner.value(
        "SELECT name FROM customer WHERE id = %s", portfolio.customer_id
    ) != "Half"  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('role'), current_setting('app.actor_id', true)")
        assert cursor.fetchone() == ("none", "")


def test_its_pages_run_no_scripts_but_their_own(boss: Visitor) -> None:
    response = boss.client.get("/admin/core/membership/add/")
    policy = response["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "no-store" in response["Cache-Control"]
    text = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", text)
    assert " onclick=" not in text
    assert " style=" not in text
