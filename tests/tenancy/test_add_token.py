"""`tenancy.add_token`: asks nothing, so nobody but the functions that do may call it."""

import psycopg2.errors
import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.tenancy import transaction
from tests.tenancy.access import arguments, member

CALL = (
    "SELECT tenancy.add_token(p_customer_id => %s, p_user_id => %s, p_name => %s,"
    " p_prefix => %s, p_digest => %s, p_scope => %s, p_expires_at => %s)"
)


def test_it_adds_the_row(owner: Database, portfolio: Portfolio) -> None:
    user_id = member(portfolio)
    values = arguments()

    token_id = owner.value(CALL, portfolio.customer_id, user_id, *values)

    row = owner.one("SELECT * FROM api_token WHERE id = %s", token_id)
    assert (row["customer_id"], row["user_id"]) == (portfolio.customer_id, user_id)
    assert [row[n] for n in ("name", "prefix", "digest", "scope", "expires_at")] == values
    assert row["created_at"] < row["expires_at"]


def test_no_runtime_role_may_call_it(web: Database, worker: Database, portfolio: Portfolio) -> None:
    values = [portfolio.customer_id, member(portfolio), *arguments()]

    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        worker.execute(CALL, *values)
    for role in (None, "claimdrift_tenant", "claimdrift_platform"):
        with (
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            transaction(web, role=role, customer_id=portfolio.customer_id),
        ):
            web.execute(CALL, *values)
