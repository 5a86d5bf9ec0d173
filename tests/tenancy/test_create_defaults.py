"""`tenancy.create_defaults`: a customer has settings and a rule, however it was inserted."""

import psycopg2.errors
import pytest

from core.models import Customer
from tests.database import Database
from tests.portfolio import Portfolio
from tests.tenancy import transaction


def defaults(owner: Database, customer_id: int) -> tuple[int, ...]:
    """How many settings and rules it has."""
    return tuple(
        owner.value(f"SELECT count(*) FROM {table} WHERE customer_id = %s", customer_id)
        for table in ("drift_settings", "alert_rule")
    )


def test_a_customer_inserted_by_sql_gets_the_documented_defaults(
    owner: Database, portfolio: Portfolio
) -> None:
    settings = owner.one(
        "SELECT * FROM drift_settings WHERE customer_id = %s", portfolio.customer_id
    )
    del settings["id"], settings["customer_id"]
    rule = owner.one("SELECT * FROM alert_rule WHERE customer_id = %s", portfolio.customer_id)
    del rule["id"], rule["customer_id"], rule["created_at"]

    assert settings == {
        "method": "significance",
        "baseline_days": 182,
        "guard_days": 56,
        "min_volume": 30,
        "false_discovery_rate": 0.05,
        "min_rate_delta": 0.05,
        "min_rate_relative": 0.5,
        "min_days_delta": 3.0,
        "min_days_relative": 0.5,
        "clear_odds": 20.0,
        "cooldown_hours": 168,
    }
    assert rule == {
        "name": "Any worsening",
        "payer_id": None,
        "cpt_group_id": None,
        "metric": None,
        "direction": "worse",
        "measure": "severity",
        "comparison": "gte",
        "threshold": 0.0,
        "level": None,
        "enabled": True,
    }


def test_one_inserted_by_django_gets_them_too(owner: Database, portfolio: Portfolio) -> None:
    customer = Customer.objects.create(name="By Django", slug=f"django-{portfolio.slug}")

    assert defaults(owner, customer.pk) == (1, 1)


def test_several_inserted_at_once_all_get_them(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    rows = worker.execute(
        "INSERT INTO customer (name, slug) SELECT 'Many', %s || '-' || n"
        " FROM generate_series(1, 50) AS n RETURNING id",
        portfolio.slug,
    )

    assert {defaults(owner, customer_id) for (customer_id,) in rows} == {(1, 1)}


def test_one_that_the_web_inserts_as_platform_gets_them(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    with transaction(web, role="claimdrift_platform"):
        customer_id = web.value(
            "INSERT INTO customer (name, slug) VALUES ('Web', %s) RETURNING id",
            f"web-{portfolio.slug}",
        )

    assert defaults(owner, customer_id) == (1, 1)


def test_an_insert_of_no_rows_passes(worker: Database) -> None:
    worker.execute("INSERT INTO customer (name, slug) SELECT 'None', 'none' WHERE false")


def test_what_is_there_is_left_alone(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    portfolio.settings(min_volume=77)

    worker.execute("SELECT tenancy.create_defaults(ARRAY[%s::bigint])", portfolio.customer_id)

    assert defaults(owner, portfolio.customer_id) == (1, 1)
    assert [row["min_volume"] for row in portfolio.rows("drift_settings")] == [77]


def test_a_tenant_may_neither_add_customers_nor_call_it(
    web: Database, portfolio: Portfolio
) -> None:
    for statement in (
        "INSERT INTO customer (name, slug) VALUES ('Mine', 'mine')",
        f"SELECT tenancy.create_defaults(ARRAY[{portfolio.customer_id}::bigint])",
    ):
        with (
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
        ):
            web.execute(statement)
