"""Members and their tokens, for tests."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core import tokens
from tests.database import Database
from tests.portfolio import Portfolio

CREATE = (
    "SELECT tenancy.create_token(p_customer_id => %s, p_user_id => %s, p_name => %s,"
    " p_prefix => %s, p_digest => %s, p_scope => %s, p_expires_at => %s)"
)
CREATE_SUPERUSER = (
    "SELECT tenancy.create_superuser_token(p_user_id => %s, p_name => %s, p_prefix => %s,"
    " p_digest => %s, p_scope => %s, p_expires_at => %s)"
)
AUTHENTICATE = "SELECT * FROM tenancy.authenticate(p_digest => %s)"


@dataclass(frozen=True)
class Token:
    token_id: int
    digest: str
    user_id: int


def arguments(**changes: Any) -> list[Any]:
    """Name, prefix, digest, scope and expiry of a new token."""
    _, prefix, digest = tokens.generate()
    return list(
        {
            "name": "test",
            "prefix": prefix,
            "digest": digest,
            "scope": "write",
            "expires_at": datetime.now(UTC) + timedelta(days=1),
            **changes,
        }.values()
    )


def member(portfolio: Portfolio, role: str = "member", user_id: int | None = None) -> int:
    """A user who works for the customer."""
    user_id = portfolio.user() if user_id is None else user_id
    portfolio.worker.execute(
        "INSERT INTO membership (customer_id, user_id, role) VALUES (%s, %s, %s)",
        portfolio.customer_id,
        user_id,
        role,
    )
    return user_id


def token_of(portfolio: Portfolio, user_id: int, **changes: Any) -> Token:
    """A new token of a member."""
    values = arguments(**changes)
    token_id = portfolio.worker.value(CREATE, portfolio.customer_id, user_id, *values)
    return Token(token_id, values[2], user_id)


def superuser(portfolio: Portfolio) -> int:
    """A user who may do everything."""
    user_id = portfolio.user()
    portfolio.worker.execute('UPDATE "user" SET is_superuser = true WHERE id = %s', user_id)
    return user_id


def superuser_token(portfolio: Portfolio, user_id: int, **changes: Any) -> Token:
    """A new token of a superuser."""
    values = arguments(**changes)
    token_id = portfolio.worker.value(CREATE_SUPERUSER, user_id, *values)
    return Token(token_id, values[2], user_id)


def suspend(portfolio: Portfolio) -> None:
    portfolio.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
    )


def token_ids(owner: Database, user_id: int) -> list[int]:
    """The tokens that a user has."""
    rows = owner.execute("SELECT id FROM api_token WHERE user_id = %s ORDER BY id", user_id)
    return [token_id for [token_id] in rows]
