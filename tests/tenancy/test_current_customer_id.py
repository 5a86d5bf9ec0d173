"""`tenancy.current_customer_id`: the context, or an error."""

import psycopg2.errors
import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction

CALL = "SELECT tenancy.current_customer_id()"


@pytest.mark.parametrize("value", [1, 42, "000000000000000007", 999_999_999_999_999_999])
def test_it_is_the_setting(web: Database, value: int | str) -> None:
    with transaction(web, role="claimdrift_tenant", customer_id=value):
        assert web.value(CALL) == int(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "x",
        "-1",
        "1.0",
        "1 OR true",
        "\N{ARABIC-INDIC DIGIT SEVEN}",
        "9" * 19,
        "1\n2",
    ],
)
def test_anything_else_is_no_context(web: Database, value: str | None) -> None:
    with refused("PD002"), transaction(web, role="claimdrift_tenant", customer_id=value):
        web.execute(CALL)


def test_the_setting_is_gone_with_its_transaction(web: Database) -> None:
    with transaction(web, role="claimdrift_tenant", customer_id=1):
        web.execute(CALL)
    # From now on the session's setting reads '', not NULL.
    with refused("PD002"), transaction(web, role="claimdrift_tenant"):
        web.execute(CALL)


def test_a_forgotten_context_is_an_error_and_not_an_empty_page(
    web: Database, portfolio: Portfolio
) -> None:
    portfolio.payer("Aetna")

    for table in ("payer", "customer", "claim", "alert", "audit_entry"):
        with refused("PD002"), transaction(web, role="claimdrift_tenant"):
            web.execute(f"SELECT * FROM {table}")
    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        assert web.execute("SELECT name FROM payer") == [("Aetna",)]


def test_a_policy_evaluates_it_once_per_statement(web: Database, portfolio: Portfolio) -> None:
    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        plan = "\n".join(line for (line,) in web.execute("EXPLAIN SELECT * FROM claim"))

    assert "InitPlan" in plan


def test_the_login_alone_may_not_call_it(web: Database) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        web.execute(CALL)
