"""`tenancy.authorize`: a tenant gets its own customer, the worker any."""

from contextlib import nullcontext

import psycopg2
import psycopg2.errors
import pytest

from tests.conftest import DATABASE, SERVER
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction

CALL = "SELECT tenancy.authorize(p_customer_id => %s)"


def test_a_tenant_may_work_on_its_own_customer(web: Database) -> None:
    with transaction(web, role="claimdrift_tenant", customer_id=7):
        web.execute(CALL, 7)


@pytest.mark.parametrize("other", [8, 0, -7, 77])
def test_a_tenant_may_not_work_on_another(web: Database, other: int) -> None:
    with refused("PD003"), transaction(web, role="claimdrift_tenant", customer_id=7):
        web.execute(CALL, other)


def test_a_tenant_without_context_may_nothing(web: Database) -> None:
    with refused("PD002"), transaction(web, role="claimdrift_tenant"):
        web.execute(CALL, 7)


@pytest.mark.parametrize("role", ["claimdrift_tenant", "claimdrift_platform"])
def test_no_customer_is_refused(web: Database, role: str) -> None:
    with refused("PD004"), transaction(web, role=role, customer_id=7):
        web.execute(CALL, None)


def test_platform_and_worker_pass_any_customer(web: Database, worker: Database) -> None:
    with transaction(web, role="claimdrift_platform"):
        web.execute(CALL, 7)
    worker.execute(CALL, 8)


@pytest.mark.parametrize("login", ["claimdrift_migrator", "postgres"])
def test_migrator_and_superuser_pass_any_customer(login: str) -> None:
    connection = psycopg2.connect(SERVER.url(login, DATABASE))
    try:
        Database(connection).execute(CALL, 9)
    finally:
        connection.close()


@pytest.mark.parametrize(("customer_id", "allowed"), [(7, True), (8, False)])
def test_a_context_binds_whoever_set_it(web: Database, customer_id: int, allowed: bool) -> None:
    expectation = nullcontext() if allowed else refused("PD003")
    with expectation, transaction(web, role="claimdrift_platform", customer_id=7):
        web.execute(CALL, customer_id)


def test_a_broken_context_binds_the_platform_too(web: Database) -> None:
    with refused("PD002"), transaction(web, role="claimdrift_platform", customer_id="seven"):
        web.execute(CALL, 7)


def test_within_a_definer_function_it_still_knows_the_caller(
    web: Database, owner: Database, worker: Database
) -> None:
    one, two = Portfolio(owner, worker), Portfolio(owner, worker)
    queue = "SELECT drift.queue_detection(p_customer_id => %s)"

    with transaction(web, role="claimdrift_tenant", customer_id=one.customer_id):
        assert web.value("SELECT current_user") == "claimdrift_tenant"
        assert web.value(queue, one.customer_id)
    with (
        refused("PD003"),
        transaction(web, role="claimdrift_tenant", customer_id=one.customer_id),
    ):
        web.execute(queue, two.customer_id)
    with refused("PD002"), transaction(web, role="claimdrift_tenant"):
        web.execute(queue, one.customer_id)
    assert worker.value(queue, two.customer_id)


def test_the_login_alone_may_not_call_it(web: Database) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        web.execute(CALL, 7)
