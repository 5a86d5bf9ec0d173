"""`tenancy.forgive_login`: a right password clears the account, not the address."""

import psycopg2.errors
import pytest

from tests.database import Database
from tests.tenancy import transaction
from tests.tenancy.test_count_login import CALL as COUNT
from tests.tenancy.test_count_login import somebody

CALL = "SELECT tenancy.forgive_login(p_account => %s)"


def test_the_accounts_attempts_are_forgotten(web: Database) -> None:
    account, address = somebody()
    for _ in range(11):
        web.execute(COUNT, account, address)
    assert web.value(COUNT, account, address) > 0

    web.execute(CALL, account.upper())

    assert web.value(COUNT, account, address) == 0


def test_those_of_the_address_stay(web: Database) -> None:
    account, address = somebody()
    for _ in range(100):
        web.execute(COUNT, account, address)
        web.execute(CALL, account)

    assert web.value(COUNT, somebody()[0], address) > 0


def test_another_accounts_stay(web: Database) -> None:
    account, address = somebody()
    for _ in range(11):
        web.execute(COUNT, account, address)
    web.execute(CALL, somebody()[0])

    assert web.value(COUNT, account, address) > 0


def test_nobody_else_may_forgive(web: Database, worker: Database) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        worker.execute(CALL, "a")
    for role in ("claimdrift_tenant", "claimdrift_platform"):
        with (
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            transaction(web, role=role, customer_id=1),
        ):
            web.execute(CALL, "a")
