"""`ingest.check_unmerged`: nothing new is said about a payer that was merged."""

import psycopg2.errors
import pytest

from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.naming import MERGE, add_alias, aliases, merge
from tests.portfolio import Portfolio
from tests.refusal import refused


@pytest.fixture
def merged(portfolio: Portfolio) -> tuple[int, int]:
    """A payer that was merged, and the one that it was merged into."""
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    merge(portfolio, old, new)
    return old, new


def test_an_alias_of_it_is_refused(portfolio: Portfolio, merged: tuple[int, int]) -> None:
    old, new = merged

    with refused("PD014", "that it was merged into"):
        add_alias(portfolio, "Older", old)
    alias_id = add_alias(portfolio, "Older", new)
    with refused("PD014", "that it was merged into"):
        portfolio.worker.execute(
            "UPDATE payer_alias SET payer_id = %s WHERE id = %s", old, alias_id
        )
    assert aliases(portfolio) == {"Old": new, "Older": new}


def test_a_rule_on_it_is_refused(portfolio: Portfolio, merged: tuple[int, int]) -> None:
    old, new = merged

    with refused("PD014", "that it was merged into"):
        portfolio.rule("Old", payer_id=old)
    for rule_id in (portfolio.rule("Any"), portfolio.rule("New", payer_id=new)):
        with refused("PD014", "that it was merged into"):
            portfolio.edit_rule(rule_id, payer_id=old)
    assert old not in {rule["payer_id"] for rule in portfolio.rows("alert_rule")}


def test_a_rule_that_stayed_on_it_can_be_edited_and_moved(portfolio: Portfolio) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    portfolio.rule("New", payer_id=new)
    rule_id = portfolio.rule("Old", payer_id=old)
    merge(portfolio, old, new)

    portfolio.edit_rule(rule_id, name="Former", enabled=True)
    portfolio.edit_rule(rule_id, payer_id=None)


def test_a_payer_that_does_not_exist_is_a_broken_reference(portfolio: Portfolio) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation) as caught:
        add_alias(portfolio, "Nobody", -1)
    assert caught.value.diag.constraint_name == "payer_alias_payer_fk"


@pytest.mark.parametrize("thing", ["alias", "rule"])
def test_what_comes_while_the_payer_is_merged_waits_and_is_refused(
    portfolio: Portfolio, connect: Connect, database_url: DatabaseUrl, thing: str
) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    statement = {
        "alias": "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'X', %s)",
        "rule": "INSERT INTO alert_rule (customer_id, name, payer_id) VALUES (%s, 'X', %s)",
    }[thing]
    merger = Database(connect())
    with open_connections(database_url, 1) as [writer]:
        merger.execute("BEGIN")
        merger.execute(MERGE, portfolio.customer_id, old, new, None)
        writing = Background(writer, lambda d: d.execute(statement, portfolio.customer_id, old))
        try:
            writing.wait_until_blocked(portfolio.worker)
        finally:
            merger.execute("COMMIT")
        with refused("PD014"):
            writing.join()


@pytest.mark.parametrize("thing", ["alias", "rule"])
def test_what_came_before_the_merge_moves_with_it(
    portfolio: Portfolio, connect: Connect, database_url: DatabaseUrl, thing: str
) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    table, statement = {
        "alias": (
            "payer_alias",
            "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'X', %s)",
        ),
        "rule": (
            "alert_rule",
            "INSERT INTO alert_rule (customer_id, name, payer_id) VALUES (%s, 'X', %s)",
        ),
    }[thing]
    writer = Database(connect())
    with open_connections(database_url, 1) as [merger]:
        writer.execute("BEGIN")
        writer.execute(statement, portfolio.customer_id, old)
        merging = Background(
            merger, lambda d: d.execute(MERGE, portfolio.customer_id, old, new, None)
        )
        try:
            merging.wait_until_blocked(portfolio.worker)
        finally:
            writer.execute("COMMIT")
        merging.join()
    assert old not in {row["payer_id"] for row in portfolio.rows(table)}
    assert new in {row["payer_id"] for row in portfolio.rows(table)}
