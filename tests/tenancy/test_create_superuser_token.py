"""`tenancy.create_superuser_token`: for active superusers, by the platform alone."""

import psycopg2.errors
import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction
from tests.tenancy.access import CREATE_SUPERUSER, arguments, member, superuser, token_ids


def test_the_platform_makes_a_token_for_all_customers(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    user_id = superuser(portfolio)
    values = arguments()

    with transaction(web, role="claimdrift_platform"):
        token_id = web.value(CREATE_SUPERUSER, user_id, *values)

    row = owner.one("SELECT * FROM api_token WHERE id = %s", token_id)
    assert (row["customer_id"], row["user_id"]) == (None, user_id)
    assert [row[n] for n in ("name", "prefix", "digest", "scope", "expires_at")] == values


def test_it_is_in_no_customers_audit_trail(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    before = owner.value("SELECT count(*) FROM audit_entry WHERE table_name = 'api_token'")
    worker.execute(CREATE_SUPERUSER, superuser(portfolio), *arguments())

    after = owner.value("SELECT count(*) FROM audit_entry WHERE table_name = 'api_token'")
    assert after == before


def test_no_tenant_sees_it(web: Database, worker: Database, portfolio: Portfolio) -> None:
    worker.execute(CREATE_SUPERUSER, superuser(portfolio), *arguments())

    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        assert web.value("SELECT count(id) FROM api_token") == 0


def test_nobody_else_gets_one(owner: Database, worker: Database, portfolio: Portfolio) -> None:
    disabled = superuser(portfolio)
    worker.execute('UPDATE "user" SET is_active = false WHERE id = %s', disabled)

    for user_id in (member(portfolio, "admin"), disabled, 0, None):
        with refused("PD012", "superuser"):
            worker.execute(CREATE_SUPERUSER, user_id, *arguments())
    assert token_ids(owner, disabled) == []


def test_a_tenant_may_not_make_one(web: Database, portfolio: Portfolio) -> None:
    user_id = superuser(portfolio)

    with (
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
        transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
    ):
        web.execute(CREATE_SUPERUSER, user_id, *arguments())
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        web.execute(CREATE_SUPERUSER, user_id, *arguments())
