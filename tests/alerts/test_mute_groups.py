"""`alerts.mute_groups`: while an alert on a payer speaks, those of its groups are muted."""

from typing import Any

import pytest

from tests.drift.former_alerts import insert
from tests.portfolio import Portfolio


def mute(portfolio: Portfolio) -> None:
    portfolio.owner.execute("SELECT alerts.mute_groups(%s)", portfolio.customer_id)


def muted(portfolio: Portfolio) -> dict[int, int | None]:
    """The muted alerts, and by which they are."""
    return {row["id"]: row["muted_by_alert_id"] for row in portfolio.rows("alert") if row["muted"]}


def test_live_alerts_of_its_groups_are_muted_and_nothing_else(portfolio: Portfolio) -> None:
    groups = [insert(portfolio, (20, None)), insert(portfolio, (20, None), group="99214")]
    insert(portfolio, (20, None), metric="DECISION_DAYS")
    insert(portfolio, (20, None), payer="Cigna")
    insert(portfolio, (20, 10), group="99215")
    insert(portfolio, (20, None), group=None, metric="SILENCE")
    payer = insert(portfolio, (10, None), group=None)

    mute(portfolio)

    assert muted(portfolio) == dict.fromkeys(groups, payer)


def test_it_is_no_transition(portfolio: Portfolio) -> None:
    group_id = insert(portfolio, (20, None))
    insert(portfolio, (10, None), group=None)
    before = {row["id"]: row for row in portfolio.rows("alert")}

    mute(portfolio)

    [after] = [row for row in portfolio.rows("alert") if row["id"] == group_id]
    assert {name for name in after if after[name] != before[group_id][name]} == {
        *("muted", "muted_by_alert_id", "updated_at")
    }
    assert portfolio.rows("alert_transition") == []


def test_again_it_changes_nothing(portfolio: Portfolio) -> None:
    insert(portfolio, (20, None))
    insert(portfolio, (10, None), group=None)
    mute(portfolio)
    before = portfolio.snapshot()

    mute(portfolio)

    assert portfolio.snapshot() == before


def test_the_other_direction_is_not_muted(portfolio: Portfolio) -> None:
    insert(portfolio, (20, None))
    payer = insert(portfolio, (10, None), group=None)
    portfolio.owner.execute("UPDATE alert SET direction = 'down' WHERE id = %s", payer)

    mute(portfolio)

    assert muted(portfolio) == {}


def test_when_it_is_over_they_speak_again(portfolio: Portfolio) -> None:
    insert(portfolio, (20, None))
    payer = insert(portfolio, (10, None), group=None)
    mute(portfolio)
    # A user's move mutes or unmutes by itself.
    portfolio.resolve(payer)

    assert muted(portfolio) == {}
    portfolio.reopen(payer)
    assert set(muted(portfolio).values()) == {payer}


def test_one_muted_for_a_time_stays_so_when_the_payer_is_over(portfolio: Portfolio) -> None:
    group_id = insert(portfolio, (20, None))
    portfolio.owner.execute(
        "UPDATE alert SET muted = true, muted_until = now() + interval '9 days' WHERE id = %s",
        group_id,
    )
    payer = insert(portfolio, (10, None), group=None)
    mute(portfolio)
    assert muted(portfolio) == {group_id: payer}

    portfolio.resolve(payer)

    assert muted(portfolio) == {group_id: None}


@pytest.mark.parametrize("reason", ["judged", "in time"])
def test_one_that_would_speak_again_stays_muted_by_its_payer(
    portfolio: Portfolio, reason: str
) -> None:
    group_id = insert(portfolio, (20, None))
    portfolio.owner.execute(
        "UPDATE alert SET muted = true, muted_until = now() - interval '1 day' WHERE id = %s",
        group_id,
    )
    payer = insert(portfolio, (10, None), group=None)
    mute(portfolio)

    if reason == "judged":
        portfolio.judge(group_id, portfolio.user(), "real")
    else:
        portfolio.owner.execute(
            "SELECT alerts.settle(p_customer_id => %s, p_run_id => 0, p_as_of => '2026-06-01')",
            portfolio.customer_id,
        )

    [row] = [row for row in portfolio.rows("alert") if row["id"] == group_id]
    assert (row["muted"], row["muted_by_alert_id"]) == (True, payer)
    assert row["muted_until"] is None


def test_other_customers_are_left_alone(portfolio: Portfolio, make_portfolio: Any) -> None:
    other = make_portfolio()
    insert(other, (20, None))
    insert(other, (10, None), group=None)

    mute(portfolio)

    assert muted(other) == {}
