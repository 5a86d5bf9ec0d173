"""`tenancy.record_audit`: every change leaves who made it, and what from and to."""

from typing import Any

import psycopg2.errors
import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction


@pytest.fixture
def user_id(worker: Database, portfolio: Portfolio) -> int:
    """A user of the portfolio's customer."""
    user: int = worker.value(
        "INSERT INTO \"user\" (email, password) VALUES (%s, '!') RETURNING id",
        f"someone@{portfolio.slug}.example",
    )
    return user


def entries(portfolio: Portfolio, table: str) -> list[dict[str, Any]]:
    """The audit trail of one table, oldest first."""
    return [row for row in portfolio.rows("audit_entry") if row["table_name"] == table]


def test_an_update_records_what_changed_from_what_to_what(
    web: Database, portfolio: Portfolio, user_id: int
) -> None:
    with transaction(
        web, role="claimdrift_tenant", customer_id=portfolio.customer_id, actor_id=user_id
    ):
        web.execute("UPDATE drift_settings SET min_volume = 40, min_rate_delta = 0.1")

    inserted, updated = entries(portfolio, "drift_settings")
    assert inserted["operation"] == "insert"
    assert updated["operation"] == "update"
    assert updated["changes"] == {"min_volume": [30, 40], "min_rate_delta": [0.05, 0.1]}
    assert updated["row_id"] == portfolio.rows("drift_settings")[0]["id"]
    assert (updated["actor_id"], updated["login"]) == (user_id, "claimdrift_web")


def test_an_insert_and_a_delete_record_the_whole_row(
    web: Database, portfolio: Portfolio, user_id: int
) -> None:
    with transaction(
        web, role="claimdrift_tenant", customer_id=portfolio.customer_id, actor_id=user_id
    ):
        row = web.one(
            "INSERT INTO alert_rule (customer_id, name, threshold) VALUES (%s, 'Loud', 0.7)"
            " RETURNING *",
            portfolio.customer_id,
        )
        web.execute("DELETE FROM alert_rule WHERE id = %s", row["id"])

    inserted, deleted = entries(portfolio, "alert_rule")[1:]
    assert (inserted["operation"], deleted["operation"]) == ("insert", "delete")
    assert set(inserted["changes"]) == set(deleted["changes"]) == set(row)
    assert inserted["changes"]["threshold"] == [None, 0.7]
    assert deleted["changes"]["threshold"] == [0.7, None]
    assert inserted["changes"]["payer_id"] == [None, None]
    assert inserted["row_id"] == deleted["row_id"] == row["id"]


@pytest.mark.parametrize(
    ("table", "columns", "change"),
    [
        ("payer_alias", {"alias": "AETNA INC", "payer_id": "payer"}, {"alias": "Aetna Life"}),
        ("cpt_mapping", {"cpt": "99213", "cpt_group_id": "group"}, {"cpt": "99214"}),
        ("membership", {"user_id": "user", "role": "member"}, {"role": "admin"}),
        ("alert_rule", {"name": "Quiet"}, {"enabled": False}),
    ],
)
def test_each_audited_table_records_its_changes(
    worker: Database,
    portfolio: Portfolio,
    user_id: int,
    table: str,
    columns: dict[str, Any],
    change: dict[str, Any],
) -> None:
    ids = {"payer": portfolio.payer("Aetna"), "group": portfolio.group("Visits"), "user": user_id}
    values = {
        column: ids[value] if column.endswith("_id") else value for column, value in columns.items()
    }
    before = len(entries(portfolio, table))
    row = worker.one(
        f"INSERT INTO {table} (customer_id, {', '.join(values)})"
        f" VALUES (%s, {', '.join(['%s'] * len(values))}) RETURNING *",
        portfolio.customer_id,
        *values.values(),
    )
    [(column, value)] = change.items()
    worker.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, row["id"])
    worker.execute(f"DELETE FROM {table} WHERE id = %s", row["id"])

    inserted, updated, deleted = entries(portfolio, table)[before:]
    assert [entry["operation"] for entry in (inserted, updated, deleted)] == [
        "insert",
        "update",
        "delete",
    ]
    assert updated["changes"] == {column: [row[column], value]}
    assert inserted["changes"][column] == [None, row[column]]
    assert deleted["changes"][column] == [value, None]
    assert {entry["row_id"] for entry in (inserted, updated, deleted)} == {row["id"]}
    assert inserted["actor_id"] is None
    assert inserted["login"] == "claimdrift_worker"


@pytest.mark.parametrize("table", ["payer", "cpt_group"])
def test_what_files_bring_is_recorded_once_somebody_edits_it(
    worker: Database, portfolio: Portfolio, user_id: int, web: Database, table: str
) -> None:
    row_id = worker.value(
        f"INSERT INTO {table} (customer_id, name) VALUES (%s, 'Visits') RETURNING id",
        portfolio.customer_id,
    )
    assert entries(portfolio, table) == []

    with transaction(
        web, role="claimdrift_tenant", customer_id=portfolio.customer_id, actor_id=user_id
    ):
        web.execute(f"UPDATE {table} SET name = 'VISITS' WHERE id = %s", row_id)
        web.execute(f"UPDATE {table} SET name = name WHERE id = %s", row_id)
        web.execute(f"DELETE FROM {table} WHERE id = %s", row_id)

    updated, deleted = entries(portfolio, table)
    assert (updated["operation"], updated["changes"]) == ("update", {"name": ["Visits", "VISITS"]})
    assert (deleted["operation"], deleted["changes"]["name"]) == ("delete", ["VISITS", None])
    assert {entry["row_id"] for entry in (updated, deleted)} == {row_id}
    assert {entry["actor_id"] for entry in (updated, deleted)} == {user_id}


def test_a_change_of_a_customer_is_in_its_own_trail(
    worker: Database, owner: Database, portfolio: Portfolio
) -> None:
    other = Portfolio(owner, worker)
    worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id IN (%s, %s)",
        portfolio.customer_id,
        other.customer_id,
    )
    worker.execute(
        "UPDATE customer SET status = 'active', name = 'Renamed' WHERE id = %s",
        portfolio.customer_id,
    )
    worker.execute("UPDATE customer SET name = name WHERE id = %s", other.customer_id)

    suspended, activated = entries(portfolio, "customer")
    assert suspended["row_id"] == activated["row_id"] == portfolio.customer_id
    assert suspended["changes"] == {"status": ["active", "suspended"]}
    assert set(activated["changes"]) == {"status", "name"}
    [entry] = entries(other, "customer")
    assert (entry["row_id"], entry["changes"]) == (other.customer_id, suspended["changes"])


def test_tokens_are_recorded_without_their_digest(
    worker: Database, portfolio: Portfolio, user_id: int
) -> None:
    worker.execute(
        "INSERT INTO membership (customer_id, user_id) VALUES (%s, %s)",
        portfolio.customer_id,
        user_id,
    )
    token_id = worker.value(
        "SELECT tenancy.create_token(%s, %s, 'laptop', 'cd', lpad(%s, 64, '0'), 'read',"
        " now() + interval '1 day')",
        portfolio.customer_id,
        user_id,
        str(portfolio.customer_id),
    )
    worker.execute("SELECT tenancy.revoke_token(%s, %s)", portfolio.customer_id, token_id)

    made, revoked = entries(portfolio, "api_token")
    assert (made["operation"], revoked["operation"]) == ("insert", "delete")
    assert made["row_id"] == revoked["row_id"] == token_id
    assert made["changes"]["name"] == [None, "laptop"]
    assert "digest" not in made["changes"].keys() | revoked["changes"].keys()


def test_an_update_that_changes_nothing_records_nothing(
    worker: Database, portfolio: Portfolio
) -> None:
    before = len(entries(portfolio, "drift_settings"))

    worker.execute(
        "UPDATE drift_settings SET min_volume = min_volume WHERE customer_id = %s",
        portfolio.customer_id,
    )

    assert len(entries(portfolio, "drift_settings")) == before


def test_one_statement_for_many_rows_records_each(worker: Database, portfolio: Portfolio) -> None:
    payer_id = portfolio.payer("Aetna")
    worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id)"
        " SELECT %s, 'Alias ' || n, %s FROM generate_series(1, 100) AS n",
        portfolio.customer_id,
        payer_id,
    )
    worker.execute(
        "UPDATE payer_alias SET alias = alias || '!' WHERE customer_id = %s AND alias LIKE '%%5'",
        portfolio.customer_id,
    )

    recorded = entries(portfolio, "payer_alias")
    updates = [entry["changes"]["alias"] for entry in recorded if entry["operation"] == "update"]
    assert len(recorded) == 110
    assert sorted(updates)[:2] == [["Alias 15", "Alias 15!"], ["Alias 25", "Alias 25!"]]
    assert all(after == f"{before}!" for before, after in updates)


def test_an_upsert_records_what_became_of_each_row(worker: Database, portfolio: Portfolio) -> None:
    one, two = portfolio.group("One"), portfolio.group("Two")
    upsert = (
        "INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id)"
        " VALUES (%s, '99213', %s), (%s, '99214', %s)"
        " ON CONFLICT (customer_id, cpt) DO UPDATE SET cpt_group_id = excluded.cpt_group_id"
    )
    worker.execute(
        "INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id) VALUES (%s, '99213', %s)",
        portfolio.customer_id,
        one,
    )
    worker.execute(upsert, portfolio.customer_id, two, portfolio.customer_id, two)

    assert sorted(
        (entry["operation"], entry["changes"]["cpt_group_id"])
        for entry in entries(portfolio, "cpt_mapping")
    ) == [
        ("insert", [None, one]),
        ("insert", [None, two]),
        ("update", [one, two]),
    ]


def test_what_is_rolled_back_was_never_recorded(worker: Database, portfolio: Portfolio) -> None:
    before = len(portfolio.rows("audit_entry"))
    worker.execute("BEGIN")
    portfolio.settings(min_volume=31)
    worker.execute("ROLLBACK")

    assert len(portfolio.rows("audit_entry")) == before


@pytest.mark.parametrize("role", ["claimdrift_tenant", "claimdrift_platform"])
def test_it_can_not_be_called_by_hand(web: Database, portfolio: Portfolio, role: str) -> None:
    forged = (f'[{{"id": 1, "customer_id": {portfolio.customer_id}, "name": "forged"}}]',)
    before = len(portfolio.rows("audit_entry"))

    with (
        refused("PD011"),
        transaction(web, role=role, customer_id=portfolio.customer_id),
    ):
        web.execute("SELECT tenancy.record_audit('alert_rule', 'insert', NULL, %s)", *forged)

    assert len(portfolio.rows("audit_entry")) == before


def test_nobody_can_change_the_trail(web: Database, worker: Database, portfolio: Portfolio) -> None:
    for statement in (
        "UPDATE audit_entry SET actor_id = NULL",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            worker.execute(statement)
        with (
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
        ):
            web.execute(statement)


def test_a_tenant_reads_its_own_trail_only(
    web: Database, owner: Database, worker: Database
) -> None:
    one, two = Portfolio(owner, worker), Portfolio(owner, worker)
    two.settings(min_volume=31)

    with transaction(web, role="claimdrift_tenant", customer_id=one.customer_id):
        assert web.execute("SELECT DISTINCT customer_id FROM audit_entry") == [(one.customer_id,)]
