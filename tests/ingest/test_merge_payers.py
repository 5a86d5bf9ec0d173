"""`ingest.merge_payers`: one payer becomes a part of another, with all that is about it."""

from datetime import timedelta
from typing import Any

import psycopg2.errors
import pytest

from core.functions import ingest_merge_payers
from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.alerts.stories import CRITICAL, DAY, NORMAL, START, tell
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import load, row
from tests.ingest.naming import (
    MERGE,
    add_alias,
    aliases,
    id_of,
    merge,
    merged_into,
    payers,
    queued,
    remap,
    rename,
)
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused


def violations(portfolio: Portfolio) -> list[tuple[Any, ...]]:
    return portfolio.worker.execute(
        "SELECT * FROM maintenance.verify() WHERE customer_id = %s", portfolio.customer_id
    )


def test_its_claims_and_files_go_to_the_other(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    old, new = (id_of(portfolio, "payer", name) for name in ("Old", "New"))

    ingest_merge_payers(
        customer_id=portfolio.customer_id, payer_id=old, into_payer_id=new, actor_id=None
    )

    assert (merged_into(portfolio), aliases(portfolio)) == ({old: new}, {"Old": new})
    assert queued(portfolio) == 1
    # Even before the worker has come round.
    load(portfolio, row(claim_number="C", payer="OLD"))
    assert payers(portfolio) == {"A": "Old", "B": "New", "C": "New"}
    assert remap(portfolio) == 1
    assert set(payers(portfolio).values()) == {"New"}
    assert queued(portfolio, "detect") == 1
    assert violations(portfolio) == []


def test_its_aliases_and_what_was_merged_into_it_follow(portfolio: Portfolio) -> None:
    oldest, old, new = (portfolio.payer(name) for name in ("Oldest", "Old", "New"))
    add_alias(portfolio, "Olde", old)
    add_alias(portfolio, "Nouveau", new)
    merge(portfolio, oldest, old)

    merge(portfolio, old, new)

    assert merged_into(portfolio) == {oldest: new, old: new}
    assert aliases(portfolio) == dict.fromkeys(("Oldest", "Old", "Olde", "Nouveau"), new)


def test_the_merge_wins_over_where_the_name_led_before(portfolio: Portfolio) -> None:
    old, new, third = (portfolio.payer(name) for name in ("Old", "New", "Third"))
    add_alias(portfolio, "OLD", third)

    merge(portfolio, old, new)

    assert aliases(portfolio) == {"OLD": new}


def test_an_alias_that_has_the_others_name_comes_home(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    old, new = (id_of(portfolio, "payer", name) for name in ("Old", "New"))
    add_alias(portfolio, "New", old)
    remap(portfolio)
    assert set(payers(portfolio).values()) == {"Old"}

    merge(portfolio, old, new)
    remap(portfolio)

    assert set(payers(portfolio).values()) == {"New"}


def test_it_stays_merged_without_its_alias(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    merge(portfolio, *(id_of(portfolio, "payer", name) for name in ("Old", "New")))
    portfolio.worker.execute(
        "DELETE FROM payer_alias WHERE customer_id = %s", portfolio.customer_id
    )

    remap(portfolio)
    load(portfolio, row(claim_number="C", payer="Old"))

    assert set(payers(portfolio).values()) == {"New"}


def test_its_alias_can_be_led_elsewhere(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    merge(portfolio, *(id_of(portfolio, "payer", name) for name in ("Old", "New")))
    portfolio.worker.execute(
        "UPDATE payer_alias SET payer_id = %s WHERE customer_id = %s",
        portfolio.payer("Old again"),
        portfolio.customer_id,
    )

    remap(portfolio)

    assert payers(portfolio) == {"A": "Old again", "B": "New"}


def test_the_other_can_be_renamed(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    old, new = (id_of(portfolio, "payer", name) for name in ("Old", "New"))
    merge(portfolio, old, new)
    rename(portfolio, "payer", new, "Newer")

    remap(portfolio)
    load(portfolio, row(claim_number="C", payer="Old"), row(claim_number="D", payer="New"))

    assert set(payers(portfolio).values()) == {"Newer"}
    assert len(portfolio.rows("payer")) == 2


@pytest.fixture
def alerted(portfolio: Portfolio) -> Portfolio:
    """An open alert on Aetna, and an acknowledged one on Cigna; Humana is as ever."""
    for payer, rate in (("Aetna", CRITICAL), ("Cigna", CRITICAL), ("Humana", NORMAL)):
        tell(portfolio, (DAY, rate), (DAY + timedelta(14), NORMAL), payer=payer)
    portfolio.detect(DAY)
    [_, cigna] = portfolio.rows("alert")
    portfolio.acknowledge(cigna["id"])
    return portfolio


def test_its_live_alerts_are_resolved_by_who_merged(alerted: Portfolio) -> None:
    humana = alerted.payer("Humana")
    rename(alerted, "payer", humana, "Humana Inc")
    actor_id = alerted.user()
    for payer in ("Aetna", "Cigna"):
        merge(alerted, alerted.payer(payer), humana, actor_id)

    assert [a["status"] for a in alerted.rows("alert")] == ["resolved", "resolved"]
    assert [a["resolved_by"] for a in alerted.rows("alert")] == ["user", "user"]
    assert alerted.kinds() == ["opened", "opened", "acknowledged", "resolved", "resolved"]
    for transition in alerted.rows("alert_transition")[-2:]:
        assert transition["actor_id"] == actor_id
        assert transition["note"] == "its payer was merged into Humana Inc"
    assert violations(alerted) == []


def test_other_payers_alerts_live_on(alerted: Portfolio) -> None:
    merge(alerted, alerted.payer("Aetna"), alerted.payer("Cigna"))

    assert [a["status"] for a in alerted.rows("alert")] == ["resolved", "acknowledged"]


def test_an_alert_on_the_payer_as_a_whole_lets_none_of_its_groups_speak(
    portfolio: Portfolio,
) -> None:
    for number in range(4):
        portfolio.decide_steps(
            START, [(DAY - timedelta(14), NORMAL), (DAY, CRITICAL)], group=f"9921{number}"
        )
        portfolio.decide_steps(START, [(DAY, NORMAL)], payer="Cigna", group=f"9921{number}")
    portfolio.detect(DAY)
    before = portfolio.rows("alert")
    speakers = [a["id"] for a in before if a["cpt_group_id"] is None]
    muted = [a["id"] for a in before if a["muted_by_alert_id"] in speakers]
    assert speakers
    assert muted

    merge(portfolio, portfolio.payer("Aetna"), portfolio.payer("Cigna"))

    after = {a["id"]: a for a in portfolio.rows("alert")}
    assert {a["status"] for a in after.values()} == {"resolved"}
    assert all(after[alert_id]["muted"] for alert_id in muted)


def test_its_alerts_stay_as_they_are(alerted: Portfolio) -> None:
    merge(alerted, alerted.payer("Aetna"), alerted.payer("Humana"))

    with refused("PD007", "was merged"):
        alerted.reopen(alerted.rows("alert")[0]["id"])
    # Whether its claims have moved or not.
    for _ in range(2):
        alerted.detect(DAY)
        [alert] = [a for a in alerted.rows("alert") if a["payer_id"] == alerted.payer("Aetna")]
        assert alert["status"] == "resolved"
        remap(alerted)


def test_an_alert_that_opens_before_its_claims_have_moved_is_resolved_with_them(
    portfolio: Portfolio,
) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, NORMAL), payer="Cigna")
    merge(portfolio, portfolio.payer("Aetna"), portfolio.payer("Cigna"))
    portfolio.detect(DAY)
    assert portfolio.alert()["status"] == "open"

    remap(portfolio)

    assert portfolio.alert()["status"] == "resolved"


def test_who_did_it_is_in_the_trail(portfolio: Portfolio, connect: Connect) -> None:
    old, new, actor_id = portfolio.payer("Old"), portfolio.payer("New"), portfolio.user()
    portfolio.rule("Former", payer_id=old)
    before = len(portfolio.rows("audit_entry"))
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id, actor_id) as tenant:
        tenant.execute(MERGE, portfolio.customer_id, old, new, actor_id)
        tenant.execute("COMMIT")

    entries = {e["table_name"]: e for e in portfolio.rows("audit_entry")[before:]}
    assert entries["payer"]["changes"] == {"merged_into_id": [None, new]}
    assert entries["payer_alias"]["changes"]["alias"] == [None, "Old"]
    assert entries["alert_rule"]["changes"] == {"payer_id": [old, new]}
    assert {entry["actor_id"] for entry in entries.values()} == {actor_id}


def test_payers_of_others_are_unknown(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    own, foreign = portfolio.payer("Own"), Portfolio(owner, worker).payer("Foreign")

    for pair in ((own, foreign), (foreign, own), (own, 0), (0, own), (own, None), (None, None)):
        with refused("PD016", "Look the id up"):
            portfolio.worker.execute(MERGE, portfolio.customer_id, *pair, None)
    assert merged_into(portfolio) == {}


def test_a_tenant_merges_its_own_payers_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    pair = (other.payer("Old"), other.payer("New"))
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant:
        tenant.execute("SAVEPOINT s")
        for customer_id, code in ((portfolio.customer_id, "PD016"), (other.customer_id, "PD003")):
            with refused(code):
                tenant.execute(MERGE, customer_id, *pair, None)
            tenant.execute("ROLLBACK TO s")
    assert merged_into(other) == {}


def test_a_suspended_customer_is_refused(portfolio: Portfolio) -> None:
    pair = portfolio.payer("Old"), portfolio.payer("New")
    portfolio.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
    )

    with refused("PD005"):
        merge(portfolio, *pair)


def test_another_isolation_level_is_refused(portfolio: Portfolio, connect: Connect) -> None:
    pair = portfolio.payer("Old"), portfolio.payer("New")
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")

    with refused("PD001"):
        database.execute(MERGE, portfolio.customer_id, *pair, None)


def test_a_payer_with_history_can_not_be_deleted(portfolio: Portfolio) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    old, new = (id_of(portfolio, "payer", name) for name in ("Old", "New"))
    merge(portfolio, old, new)

    for payer_id in (old, new):
        with pytest.raises(psycopg2.errors.ForeignKeyViolation):
            portfolio.worker.execute("DELETE FROM payer WHERE id = %s", payer_id)


def test_one_of_which_nothing_is_left_can_be_deleted_and_its_name_still_leads_on(
    portfolio: Portfolio,
) -> None:
    load(portfolio, row(claim_number="A", payer="Old"), row(claim_number="B", payer="New"))
    old, new = (id_of(portfolio, "payer", name) for name in ("Old", "New"))
    merge(portfolio, old, new)
    remap(portfolio)

    portfolio.worker.execute("DELETE FROM payer WHERE id = %s", old)
    load(portfolio, row(claim_number="C", payer="Old"))

    assert remap(portfolio) == 0
    assert set(payers(portfolio).values()) == {"New"}


@pytest.mark.parametrize("lock", ["ingest", "drift"])
def test_it_waits_for_a_load_and_for_detection(
    portfolio: Portfolio, database_url: DatabaseUrl, connect: Connect, lock: str
) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    holder = Database(connect("claimdrift_migrator"))
    with open_connections(database_url, 1) as [database]:
        holder.execute("BEGIN")
        holder.execute(f"SELECT {lock}.lock_customer(%s)", portfolio.customer_id)
        merging = Background(
            database, lambda d: d.execute(MERGE, portfolio.customer_id, old, new, None)
        )
        try:
            merging.wait_until_blocked(portfolio.worker)
        finally:
            holder.execute("COMMIT")
        merging.join()
    assert merged_into(portfolio) == {old: new}


@pytest.mark.parametrize(("table", "column"), [("payer_alias", "alias"), ("alert_rule", "name")])
def test_who_edits_what_it_moves_is_waited_for_without_a_deadlock(
    portfolio: Portfolio, database_url: DatabaseUrl, connect: Connect, table: str, column: str
) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    row_id = {
        "payer_alias": lambda: add_alias(portfolio, "Former", old),
        "alert_rule": lambda: portfolio.rule("Former", payer_id=old),
    }[table]()
    editor = Database(connect())
    with open_connections(database_url, 1) as [merger]:
        editor.execute("BEGIN")
        editor.execute(f"UPDATE {table} SET {column} = 'Edited' WHERE id = %s", row_id)
        merging = Background(
            merger, lambda d: d.execute(MERGE, portfolio.customer_id, old, new, None)
        )
        try:
            merging.wait_until_blocked(portfolio.worker)
            # It has the row, and now wants the payer.
            editor.execute(f"UPDATE {table} SET payer_id = %s WHERE id = %s", new, row_id)
        finally:
            editor.execute("COMMIT")
        merging.join()
    [row] = [row for row in portfolio.rows(table) if row["id"] == row_id]
    assert (row[column], row["payer_id"]) == ("Edited", new)
