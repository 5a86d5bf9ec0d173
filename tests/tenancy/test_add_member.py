"""`tenancy.add_member`: a member by e-mail address, whether the user is known or not."""

import re
from typing import Any

import psycopg2.errors
import pytest
from django.contrib.auth.hashers import is_password_usable

from core.functions import tenancy_add_member
from tests.acceptance.together import Background, DatabaseUrl, Work, do_together, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused
from tests.tenancy.members import ADD, address, roles


def user(owner: Database, email: str) -> dict[str, Any]:
    return owner.one('SELECT * FROM "user" WHERE email = %s', email)


def test_an_unknown_address_becomes_a_user_without_a_password(
    portfolio: Portfolio, owner: Database
) -> None:
    email = address()
    membership_id = tenancy_add_member(
        customer_id=portfolio.customer_id, email=f" {email.upper()} ", name=" Ada ", role="admin"
    )

    [membership] = portfolio.rows("membership")
    added = user(owner, email)
    assert (membership["id"], membership["user_id"]) == (membership_id, added["id"])
    assert membership["role"] == "admin"
    assert (membership["name"], added["name"]) == ("Ada", "")
    assert (added["is_active"], added["is_superuser"]) == (True, False)
    assert not is_password_usable(added["password"])
    # As Django writes them, so that two aren't the same.
    assert re.fullmatch("!.{40}", added["password"])


def test_no_two_users_share_their_unusable_password(portfolio: Portfolio, owner: Database) -> None:
    emails = [address(), address()]
    for email in emails:
        portfolio.worker.value(ADD, portfolio.customer_id, email, None, "member")

    assert len({user(owner, email)["password"] for email in emails}) == 2
    assert {row["name"] for row in portfolio.rows("membership")} == {""}


def test_somebody_who_is_known_is_left_as_they_are(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    email = address()
    owner.execute(
        'INSERT INTO "user" (email, name, password, is_active)'
        " VALUES (%s, 'Grace', 'hash', false)",
        email,
    )
    before = user(owner, email)

    worker.value(ADD, portfolio.customer_id, email.upper(), "Somebody else", "member")
    other = Portfolio(owner, worker)
    worker.value(ADD, other.customer_id, email, "Another", "admin")

    assert user(owner, email) == before
    # Neither customer sees what the other calls them.
    assert [row["name"] for row in portfolio.rows("membership")] == ["Somebody else"]
    assert [row["name"] for row in other.rows("membership")] == ["Another"]
    assert list(roles(portfolio).values()) == ["member"]


def test_a_member_can_not_be_added_again(portfolio: Portfolio, worker: Database) -> None:
    email = address()
    worker.value(ADD, portfolio.customer_id, email, "", "member")

    with pytest.raises(psycopg2.errors.UniqueViolation) as caught:
        worker.value(ADD, portfolio.customer_id, email.upper(), "", "admin")
    assert caught.value.diag.constraint_name == "membership_customer_user_key"
    assert list(roles(portfolio).values()) == ["member"]


@pytest.mark.parametrize("role", [None, "", "owner", "ADMIN"])
def test_other_roles_are_refused(portfolio: Portfolio, worker: Database, role: str | None) -> None:
    with refused("PD008", "admin or member"):
        worker.value(ADD, portfolio.customer_id, address(), "", role)


@pytest.mark.parametrize("email", [None, "", "  ", "nobody", "@example.org", "a b@example.org"])
def test_what_is_no_address_is_refused(
    portfolio: Portfolio, worker: Database, email: str | None
) -> None:
    with refused("PD008", "address"):
        worker.value(ADD, portfolio.customer_id, email, "", "member")


def test_an_unknown_customer_is_refused(worker: Database, owner: Database) -> None:
    email = address()
    with refused("PD004"):
        worker.value(ADD, 0, email, "", "member")
    assert owner.execute('SELECT FROM "user" WHERE email = %s', email) == []


def test_an_admin_adds_to_the_own_customer_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    actor_id, email = portfolio.user(), address()
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id, actor_id) as tenant:
        membership_id = tenant.value(ADD, portfolio.customer_id, email, "Ada", "member")
        tenant.execute("COMMIT")
    [entry] = [e for e in portfolio.rows("audit_entry") if e["table_name"] == "membership"]
    assert (entry["row_id"], entry["actor_id"]) == (membership_id, actor_id)
    assert entry["changes"]["role"] == [None, "member"]

    with (
        as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant,
        refused("PD003"),
    ):
        tenant.value(ADD, other.customer_id, address(), "", "admin")
    assert roles(other) == {}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO membership (customer_id, user_id, role) VALUES (%s, 1, 'admin')",
        "UPDATE membership SET role = 'admin' WHERE customer_id = %s",
        "DELETE FROM membership WHERE customer_id = %s",
        'UPDATE "user" SET is_superuser = true WHERE %s > 0',
    ],
)
def test_a_tenant_writes_members_by_no_other_way(
    portfolio: Portfolio, connect: Connect, statement: str
) -> None:
    with (
        as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        tenant.execute(statement, portfolio.customer_id)


def test_two_who_invite_the_same_person_add_one_user(
    database_url: DatabaseUrl, owner: Database, worker: Database
) -> None:
    portfolios = [Portfolio(owner, worker) for _ in range(8)]
    email = address()

    def invite(portfolio: Portfolio) -> Work:
        return lambda d: d.value(ADD, portfolio.customer_id, email, "", "member")

    with open_connections(database_url, len(portfolios)) as databases:
        results = do_together(databases, [invite(portfolio) for portfolio in portfolios])

    assert all(isinstance(result, int) for result in results), results
    user_id = user(owner, email)["id"]
    assert [p.rows("membership")[0]["user_id"] for p in portfolios] == [user_id] * 8


def test_of_two_who_add_the_same_member_one_fails(
    portfolio: Portfolio, database_url: DatabaseUrl, connect: Connect
) -> None:
    first = Database(connect())
    email = address()
    with open_connections(database_url, 1) as [second]:
        first.execute("BEGIN")
        first.value(ADD, portfolio.customer_id, email, "", "member")
        adding = Background(
            second, lambda d: d.value(ADD, portfolio.customer_id, email, "", "admin")
        )
        try:
            adding.wait_until_blocked(portfolio.worker)
        finally:
            first.execute("COMMIT")
        with pytest.raises(psycopg2.errors.UniqueViolation) as caught:
            adding.join()
    assert caught.value.diag.constraint_name == "membership_customer_user_key"
    assert list(roles(portfolio).values()) == ["member"]
