"""`alerts.speaking_alert`: the alert on a payer as a whole that speaks for those of its groups."""

from typing import Any

import pytest

from tests.drift.former_alerts import insert
from tests.portfolio import Portfolio


def speaking(
    portfolio: Portfolio,
    *,
    payer: str = "Aetna",
    group: str | None = "99213",
    metric: str = "DENIAL_RATE",
    direction: str = "up",
) -> int | None:
    alert_id: int | None = portfolio.owner.value(
        "SELECT alerts.speaking_alert(p_customer_id => %s, p_payer_id => %s, p_cpt_group_id => %s,"
        " p_metric => %s, p_direction => %s)",
        portfolio.customer_id,
        portfolio.payer(payer),
        None if group is None else portfolio.group(group),
        metric,
        direction,
    )
    return alert_id


@pytest.mark.parametrize("acknowledged", [False, True])
def test_while_it_is_live_it_speaks_for_each_group(
    portfolio: Portfolio, acknowledged: bool
) -> None:
    alert_id = insert(portfolio, (20, None), group=None)
    if acknowledged:
        portfolio.acknowledge(alert_id)

    assert speaking(portfolio) == alert_id
    assert speaking(portfolio, group="99214") == alert_id


@pytest.mark.parametrize(
    "of",
    [{"payer": "Cigna"}, {"group": None}, {"metric": "DECISION_DAYS"}, {"direction": "down"}],
    ids=["another payer", "the payer itself", "another metric", "the other direction"],
)
def test_it_speaks_for_nothing_else(portfolio: Portfolio, of: dict[str, Any]) -> None:
    insert(portfolio, (20, None), group=None)

    assert speaking(portfolio, **of) is None


def test_one_that_is_over_is_silent(portfolio: Portfolio) -> None:
    insert(portfolio, (20, 10), group=None)

    assert speaking(portfolio) is None


def test_an_alert_on_a_group_speaks_for_none(portfolio: Portfolio) -> None:
    insert(portfolio, (20, None))

    assert speaking(portfolio) is None
    assert speaking(portfolio, group="99214") is None


def test_a_silence_is_another_metric(portfolio: Portfolio) -> None:
    insert(portfolio, (20, None), group=None, metric="SILENCE")

    assert speaking(portfolio) is None
