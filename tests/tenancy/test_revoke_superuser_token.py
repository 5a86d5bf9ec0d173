"""`tenancy.revoke_superuser_token`: a superuser's, and no member's."""

import psycopg2.errors
import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.tenancy import transaction
from tests.tenancy.access import (
    AUTHENTICATE,
    member,
    superuser,
    superuser_token,
    token_ids,
    token_of,
)

CALL = "SELECT tenancy.revoke_superuser_token(p_token_id => %s)"


def test_it_is_void_at_once(web: Database, portfolio: Portfolio) -> None:
    token = superuser_token(portfolio, superuser(portfolio))

    with transaction(web, role="claimdrift_platform"):
        results = [web.value(CALL, token.token_id) for _ in range(2)]

    assert results == [True, False]
    assert web.execute(AUTHENTICATE, token.digest) == []


def test_a_members_token_is_left_alone(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    token = token_of(portfolio, member(portfolio))

    assert worker.value(CALL, token.token_id) is False
    assert token_ids(owner, token.user_id) == [token.token_id]


def test_a_tenant_may_not_revoke_it(web: Database, portfolio: Portfolio) -> None:
    token = superuser_token(portfolio, superuser(portfolio))

    with (
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
        transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
    ):
        web.execute(CALL, token.token_id)
