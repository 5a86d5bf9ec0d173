"""`tenant_context` on the real web login, in real transactions."""

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import psycopg2.errors
import pytest
from django.db import DatabaseError, connections, transaction
from django.db.transaction import TransactionManagementError

from core.context import platform_context, tenant_context
from core.models import Payer
from tests.conftest import SERVER
from tests.database import Database
from tests.portfolio import Portfolio


class Boom(Exception):
    """An error of the request's own."""


@pytest.fixture
def web() -> Iterator[str]:
    """The alias of a Django connection as claimdrift_web."""
    alias = "web"
    connection = connections["default"].copy(alias=alias)
    connection.settings_dict["USER"] = "claimdrift_web"
    connections[alias] = connection
    yield alias
    connection.close()
    del connections[alias]


def state(alias: str) -> tuple[str, ...]:
    """Role, customer and actor."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('role'),"
            " coalesce(current_setting('app.customer_id', true), ''),"
            " coalesce(current_setting('app.actor_id', true), '')"
        )
        row: tuple[str, ...] = cursor.fetchone()
        return row


NOBODY = ("none", "", "")


def test_inside_it_is_the_tenant_and_afterwards_nobody(web: str) -> None:
    with transaction.atomic(using=web):
        with tenant_context(7, 5, using=web):
            assert state(web) == ("claimdrift_tenant", "7", "5")
        assert state(web) == NOBODY
    assert state(web) == NOBODY


def test_it_sees_its_own_rows_and_without_it_access_is_refused(
    web: str, owner: Database, worker: Database
) -> None:
    one, two = Portfolio(owner, worker), Portfolio(owner, worker)
    one.payer("Aetna")
    two.payer("Cigna")

    with transaction.atomic(using=web), tenant_context(one.customer_id, None, using=web):
        assert [payer.name for payer in Payer.objects.using(web)] == ["Aetna"]
    with transaction.atomic(using=web), tenant_context(two.customer_id, None, using=web):
        assert [payer.name for payer in Payer.objects.using(web)] == ["Cigna"]
    with pytest.raises(DatabaseError) as error:
        list(Payer.objects.using(web))
    assert isinstance(error.value.__cause__, psycopg2.errors.InsufficientPrivilege)


def test_entering_and_leaving_take_one_statement_each(web: str, portfolio: Portfolio) -> None:
    statements: list[str] = []

    def record(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        statements.append(sql)
        return execute(sql, *arguments)

    with (
        transaction.atomic(using=web),
        connections[web].execute_wrapper(record),
        tenant_context(portfolio.customer_id, None, using=web),
    ):
        pass

    assert len(statements) == 2


def test_contexts_nest(web: str) -> None:
    with transaction.atomic(using=web):
        with tenant_context(1, 10, using=web):
            with tenant_context(2, None, using=web):
                assert state(web) == ("claimdrift_tenant", "2", "")
            assert state(web) == ("claimdrift_tenant", "1", "10")
        assert state(web) == NOBODY


def test_what_was_set_before_comes_back(web: str) -> None:
    with transaction.atomic(using=web):
        with connections[web].cursor() as cursor:
            cursor.execute("SET LOCAL ROLE claimdrift_platform; SET LOCAL app.actor_id = '3'")
        with tenant_context(1, 10, using=web):
            pass
        assert state(web) == ("claimdrift_platform", "", "3")


def test_an_error_of_the_request_passes_and_restores(web: str) -> None:
    with transaction.atomic(using=web):
        with pytest.raises(Boom), tenant_context(1, 10, using=web):
            raise Boom
        assert state(web) == NOBODY


def test_the_error_that_aborted_the_transaction_is_the_one_that_is_raised(web: str) -> None:
    with (
        pytest.raises(DatabaseError, match="division by zero"),
        transaction.atomic(using=web),
        tenant_context(1, 10, using=web),
        tenant_context(2, 20, using=web),
        connections[web].cursor() as cursor,
    ):
        cursor.execute("SELECT 1 / 0")
    assert state(web) == NOBODY


def test_a_savepoint_that_fails_inside_leaves_the_context(web: str) -> None:
    with transaction.atomic(using=web):
        with tenant_context(1, 10, using=web):
            with (
                pytest.raises(DatabaseError),
                transaction.atomic(using=web),
                connections[web].cursor() as cursor,
            ):
                cursor.execute("SELECT 1 / 0")
            assert state(web) == ("claimdrift_tenant", "1", "10")
        assert state(web) == NOBODY


def test_a_savepoint_that_fails_around_it_restores(web: str) -> None:
    with transaction.atomic(using=web):
        with tenant_context(1, 10, using=web):
            with (
                pytest.raises(DatabaseError),
                transaction.atomic(using=web),
                tenant_context(2, 20, using=web),
                connections[web].cursor() as cursor,
            ):
                cursor.execute("SELECT 1 / 0")
            assert state(web) == ("claimdrift_tenant", "1", "10")
        assert state(web) == NOBODY


def test_a_swallowed_database_error_is_not_taken_for_success(web: str) -> None:
    with (
        pytest.raises(DatabaseError, match="transaction is aborted"),
        transaction.atomic(using=web),
        tenant_context(1, 10, using=web),
        connections[web].cursor() as cursor,
        pytest.raises(DatabaseError),
    ):
        cursor.execute("SELECT 1 / 0")


def test_a_lost_connection_does_not_hide_the_error(web: str) -> None:
    def lose_the_connection() -> None:
        with (
            closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser,
            superuser.cursor() as cursor,
        ):
            pid = connections[web].connection.info.backend_pid
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        raise Boom

    with pytest.raises(Boom), transaction.atomic(using=web), tenant_context(1, 10, using=web):
        lose_the_connection()


def test_it_refuses_to_work_without_a_transaction(web: str) -> None:
    with (
        pytest.raises(TransactionManagementError, match="needs a transaction"),
        tenant_context(1, None, using=web),
    ):
        pass


def test_only_the_web_login_can_become_a_tenant() -> None:
    with (
        pytest.raises(DatabaseError, match="permission denied to set role"),
        transaction.atomic(),
        tenant_context(1, None),
    ):
        pass


def test_a_rollback_that_was_asked_for_restores(web: str) -> None:
    # What REST framework does when it turns an error into a response.
    with transaction.atomic(using=web), tenant_context(1, 10, using=web):
        transaction.set_rollback(True, using=web)

    assert state(web) == NOBODY


def test_the_platform_sees_all_and_names_its_actor(web: str, portfolio: Portfolio) -> None:
    portfolio.payer("Aetna")

    with transaction.atomic(using=web):
        with platform_context(5, using=web):
            assert state(web) == ("claimdrift_platform", "", "5")
            assert Payer.objects.using(web).filter(customer_id=portfolio.customer_id).exists()
        assert state(web) == NOBODY


def test_contexts_of_both_kinds_nest(web: str) -> None:
    with transaction.atomic(using=web):
        with platform_context(5, using=web):
            with tenant_context(2, 6, using=web):
                with platform_context(None, using=web):
                    assert state(web) == ("claimdrift_platform", "", "")
                assert state(web) == ("claimdrift_tenant", "2", "6")
            assert state(web) == ("claimdrift_platform", "", "5")
        assert state(web) == NOBODY


def test_the_platforms_context_needs_a_transaction_too(web: str) -> None:
    with (
        pytest.raises(TransactionManagementError, match="platform_context needs a transaction"),
        platform_context(1, using=web),
    ):
        pass


def test_entering_and_leaving_the_platform_take_one_statement_each(web: str) -> None:
    statements: list[str] = []

    def record(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        statements.append(sql)
        return execute(sql, *arguments)

    with (
        transaction.atomic(using=web),
        connections[web].execute_wrapper(record),
        platform_context(None, using=web),
    ):
        pass

    assert len(statements) == 2
