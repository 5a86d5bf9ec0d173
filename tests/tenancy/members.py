"""Members of a portfolio's customer, and the calls that make, change and end them."""

import os
from itertools import count

from tests.database import Database
from tests.portfolio import Portfolio

ADD = "SELECT tenancy.add_member(p_customer_id => %s, p_email => %s, p_name => %s, p_role => %s)"
CHANGE = "SELECT tenancy.change_role(p_customer_id => %s, p_membership_id => %s, p_role => %s)"
REMOVE = "SELECT tenancy.remove_member(p_customer_id => %s, p_membership_id => %s)"

_numbers = count(1)


def address() -> str:
    """An address that nobody has yet."""
    return f"member-{os.getpid()}-{next(_numbers)}@example.org"


def add(portfolio: Portfolio, role: str = "member", email: str | None = None) -> int:
    """A new membership, by default of a new user."""
    membership_id: int = portfolio.worker.value(
        ADD, portfolio.customer_id, email or address(), "", role
    )
    return membership_id


def user_of(portfolio: Portfolio, membership_id: int) -> int:
    [user_id] = [m["user_id"] for m in portfolio.rows("membership") if m["id"] == membership_id]
    return int(user_id)


def roles(portfolio: Portfolio) -> dict[int, str]:
    """The role of each membership that the customer has."""
    return {m["id"]: m["role"] for m in portfolio.rows("membership")}


def give_token(portfolio: Portfolio, membership_id: int, database: Database | None = None) -> int:
    """A token for a member."""
    token_id: int = (database or portfolio.worker).value(
        "SELECT tenancy.create_token(p_customer_id => %s, p_user_id => %s, p_name => 'laptop',"
        " p_prefix => 'cd_test', p_digest => %s, p_scope => 'read',"
        " p_expires_at => now() + interval '1 day')",
        portfolio.customer_id,
        user_of(portfolio, membership_id),
        f"{os.getpid():032x}{next(_numbers):032x}",
    )
    return token_id


def disable(database: Database, user_id: int) -> None:
    database.execute('UPDATE "user" SET is_active = false WHERE id = %s', user_id)
