"""`tenancy.authenticate`: whose token it is, as things are at this moment."""

import psycopg2.errors
import pytest

from core import tokens
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.tenancy import transaction
from tests.tenancy.access import (
    AUTHENTICATE,
    member,
    superuser,
    superuser_token,
    suspend,
    token_of,
)


def test_a_members_token_names_customer_role_and_scope(
    web: Database, portfolio: Portfolio, worker: Database
) -> None:
    user_id = member(portfolio, "admin")
    token = token_of(portfolio, user_id, scope="read")

    assert web.dicts(AUTHENTICATE, token.digest) == [
        {
            "token_id": token.token_id,
            "scope": "read",
            "user_id": user_id,
            "email": worker.value('SELECT email FROM "user" WHERE id = %s', user_id),
            "is_superuser": False,
            "customer_id": portfolio.customer_id,
            "role": "admin",
        }
    ]


def test_a_superusers_token_names_no_customer(web: Database, portfolio: Portfolio) -> None:
    token = superuser_token(portfolio, superuser(portfolio))

    row = web.one(AUTHENTICATE, token.digest)

    assert (row["is_superuser"], row["customer_id"], row["role"]) == (True, None, None)


def test_a_superusers_token_for_one_customer_is_a_members(
    web: Database, portfolio: Portfolio
) -> None:
    user_id = member(portfolio, user_id=superuser(portfolio))
    row = web.one(AUTHENTICATE, token_of(portfolio, user_id).digest)

    assert (row["is_superuser"], row["customer_id"]) == (False, portfolio.customer_id)
    assert row["role"] == "member"


def test_an_unknown_digest_is_nobodys(web: Database, portfolio: Portfolio) -> None:
    digest = token_of(portfolio, member(portfolio)).digest

    for unknown in (tokens.generate()[2], digest.upper(), digest[:-1], "", None):
        assert web.execute(AUTHENTICATE, unknown) == []


def test_a_role_counts_as_it_is_now(web: Database, portfolio: Portfolio) -> None:
    user_id = member(portfolio, "admin")
    token = token_of(portfolio, user_id)
    portfolio.worker.execute(
        "UPDATE membership SET role = 'member' WHERE customer_id = %s AND user_id = %s",
        portfolio.customer_id,
        user_id,
    )

    assert web.one(AUTHENTICATE, token.digest)["role"] == "member"


def test_an_expired_token_is_void(web: Database, owner: Database, portfolio: Portfolio) -> None:
    token = token_of(portfolio, member(portfolio))
    owner.execute(
        "UPDATE api_token SET created_at = now() - interval '2 days',"
        " expires_at = clock_timestamp() - interval '1 second' WHERE id = %s",
        token.token_id,
    )

    assert web.execute(AUTHENTICATE, token.digest) == []


@pytest.mark.parametrize("is_superuser", [True, False])
def test_a_disabled_users_tokens_are_void_until_enabled(
    web: Database, portfolio: Portfolio, is_superuser: bool
) -> None:
    token = (
        superuser_token(portfolio, superuser(portfolio))
        if is_superuser
        else token_of(portfolio, member(portfolio))
    )
    switch = 'UPDATE "user" SET is_active = %s WHERE id = %s'

    portfolio.worker.execute(switch, False, token.user_id)
    assert web.execute(AUTHENTICATE, token.digest) == []

    portfolio.worker.execute(switch, True, token.user_id)
    assert len(web.execute(AUTHENTICATE, token.digest)) == 1


def test_a_former_superusers_token_is_void(web: Database, portfolio: Portfolio) -> None:
    token = superuser_token(portfolio, superuser(portfolio))
    portfolio.worker.execute('UPDATE "user" SET is_superuser = false WHERE id = %s', token.user_id)

    assert web.execute(AUTHENTICATE, token.digest) == []


def test_a_former_members_token_is_void_for_good(web: Database, portfolio: Portfolio) -> None:
    user_id = member(portfolio)
    token = token_of(portfolio, user_id)
    portfolio.worker.execute(
        "DELETE FROM membership WHERE customer_id = %s AND user_id = %s",
        portfolio.customer_id,
        user_id,
    )
    assert web.execute(AUTHENTICATE, token.digest) == []

    member(portfolio, user_id=user_id)
    assert web.execute(AUTHENTICATE, token.digest) == []


def test_a_suspended_customers_tokens_are_void_even_if_they_were_still_there(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    user_id = member(portfolio)
    token = token_of(portfolio, user_id)
    [row] = owner.execute("SELECT * FROM api_token WHERE id = %s", token.token_id)
    suspend(portfolio)
    owner.execute(f"INSERT INTO api_token VALUES ({', '.join(['%s'] * len(row))})", *row)

    assert web.execute(AUTHENTICATE, token.digest) == []


def test_the_use_is_noted_once_a_minute(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    token = token_of(portfolio, member(portfolio))

    def used() -> object:
        return owner.value("SELECT last_used_at FROM api_token WHERE id = %s", token.token_id)

    assert used() is None
    web.execute(AUTHENTICATE, token.digest)
    first = used()
    assert first is not None
    web.execute(AUTHENTICATE, token.digest)
    assert used() == first

    owner.execute(
        "UPDATE api_token SET last_used_at = now() - interval '61 seconds' WHERE id = %s",
        token.token_id,
    )
    web.execute(AUTHENTICATE, token.digest)
    assert used() > first  # type: ignore[operator]


def test_the_note_survives_a_request_that_is_rolled_back(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    token = token_of(portfolio, member(portfolio))

    web.execute(AUTHENTICATE, token.digest)
    with pytest.raises(psycopg2.errors.DivisionByZero), transaction(web):
        web.execute("SELECT 1 / 0")

    assert owner.value("SELECT last_used_at FROM api_token WHERE id = %s", token.token_id)


def test_a_locked_token_is_not_waited_for(
    web: Database, portfolio: Portfolio, connect: Connect
) -> None:
    token = token_of(portfolio, member(portfolio))
    holder = Database(connect("claimdrift_migrator"))
    holder.execute("BEGIN")
    holder.execute("SELECT FROM api_token WHERE id = %s FOR UPDATE", token.token_id)
    web.execute("SET lock_timeout = '1ms'")

    assert web.one(AUTHENTICATE, token.digest)["token_id"] == token.token_id

    holder.execute("ROLLBACK")


def test_only_the_web_login_may_ask(web: Database, worker: Database, portfolio: Portfolio) -> None:
    digest = token_of(portfolio, member(portfolio)).digest

    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        worker.execute(AUTHENTICATE, digest)
    for role in ("claimdrift_tenant", "claimdrift_platform"):
        with (
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            transaction(web, role=role, customer_id=portfolio.customer_id),
        ):
            web.execute(AUTHENTICATE, digest)


def test_the_digest_itself_can_be_read_by_nobody(
    web: Database, worker: Database, portfolio: Portfolio
) -> None:
    token_of(portfolio, member(portfolio))

    for statement in ("SELECT digest FROM api_token", "SELECT * FROM api_token"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            worker.execute(statement)
        with (
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
        ):
            web.execute(statement)
