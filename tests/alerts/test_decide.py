"""`alerts.decide`: what an event means for the last alert of its identity."""

from datetime import timedelta
from typing import Any

import pytest

from tests.alerts.stories import CRITICAL, DAY, INFO, tell
from tests.portfolio import Portfolio

LIVE = {"status": "open"}
BY_USER = {"status": "resolved", "resolved_by": "user", "resolved_as_of": DAY - timedelta(2)}
CLEARED = {**BY_USER, "resolved_by": "cleared"}
LONG_AGO = {"resolved_as_of": DAY - timedelta(8)}


@pytest.mark.parametrize(
    ("change", "enabled", "action"),
    [
        (None, True, "open"),
        (None, False, "ignore"),
        (LIVE, True, "see"),
        (LIVE, False, "see"),
        ({**LIVE, "peak_severity": 0.1}, True, "escalate"),
        ({**LIVE, "peak_severity": 0.1}, False, "see"),
        ({**LIVE, "level": "info"}, True, "escalate"),
        ({"status": "acknowledged"}, True, "see"),
        (CLEARED, True, "reopen"),
        (CLEARED, False, "ignore"),
        ({**CLEARED, **LONG_AGO}, True, "open"),
        ({**CLEARED, "resolved_as_of": DAY - timedelta(7)}, True, "reopen"),
        ({**CLEARED, "resolved_by": "rule"}, True, "reopen"),
        (BY_USER, True, "ignore"),
        ({**BY_USER, **LONG_AGO}, True, "ignore"),
        ({**BY_USER, "rearmed": True}, True, "reopen"),
        ({**BY_USER, **LONG_AGO, "rearmed": True}, True, "open"),
        ({**BY_USER, "peak_severity": 0.1}, True, "reopen"),
        ({**BY_USER, **LONG_AGO, "peak_severity": 0.1}, True, "open"),
        ({**BY_USER, "peak_severity": 0.1}, False, "ignore"),
        ({**BY_USER, "rearmed": True, "new_normal": True}, True, "open"),
        # Another direction, metric or group is another identity.
        ({**LIVE, "direction": "down"}, True, "open"),
        ({**LIVE, "metric": "DECISION_DAYS"}, True, "open"),
        ({**LIVE, "cpt_group_id": None}, True, "open"),
    ],
)
def test_each_state_has_one_answer(
    portfolio: Portfolio, change: dict[str, Any] | None, enabled: bool, action: str
) -> None:
    decided = decide(portfolio, change, enabled=enabled)

    assert decided["action"] == action
    assert decided["as_of"] == DAY
    assert (decided["rule_id"] is not None) == enabled


@pytest.mark.parametrize(
    ("change", "action"),
    [
        (None, "ignore"),
        (CLEARED, "ignore"),
        ({**CLEARED, **LONG_AGO}, "ignore"),
        ({**BY_USER, "rearmed": True}, "ignore"),
        ({**BY_USER, "peak_severity": 0.1}, "ignore"),
        ({**BY_USER, "rearmed": True, "new_normal": True}, "ignore"),
        ({**LIVE, "direction": "down"}, "ignore"),
        # What is live is seen, and heard when it grows.
        (LIVE, "see"),
        ({"status": "acknowledged"}, "see"),
        ({**LIVE, "peak_severity": 0.1}, "escalate"),
        ({**LIVE, "level": "info"}, "escalate"),
    ],
)
def test_what_may_not_open_may_not_reopen_either(
    portfolio: Portfolio, change: dict[str, Any] | None, action: str
) -> None:
    assert decide(portfolio, change, may_open=False)["action"] == action


def decide(
    portfolio: Portfolio,
    change: dict[str, Any] | None,
    *,
    enabled: bool = True,
    may_open: bool = True,
) -> dict[str, Any]:
    """The decision on an event of DAY whose last alert is as `change` says; None: it has none."""
    tell(portfolio, (DAY, CRITICAL))
    if change is None:
        portfolio.edit_rule(portfolio.default_rule(), enabled=False)
    portfolio.detect(DAY)
    portfolio.owner.execute(
        "UPDATE drift_event SET may_open = %s WHERE customer_id = %s",
        may_open,
        portfolio.customer_id,
    )
    portfolio.edit_rule(portfolio.default_rule(), enabled=enabled)
    if change is not None:
        alert = portfolio.alert()
        # It had opened three weeks before.
        earlier = {
            name: alert[name] - timedelta(21)
            for name in (
                *("opened_as_of", "episode_as_of", "last_seen_as_of"),
                *("window_start", "baseline_start", "baseline_end"),
            )
        }
        columns = {**earlier, **change}
        portfolio.owner.execute(
            f"UPDATE alert SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
            *columns.values(),
            alert["id"],
        )

    return portfolio.owner.one(
        """
        SELECT d.* FROM drift_event AS e,
            alerts.decide(p_customer_id => e.customer_id, p_event_ids => ARRAY[e.id]) AS d
        WHERE e.customer_id = %s
        """,
        portfolio.customer_id,
    )


def test_a_withdrawn_event_means_nothing(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO))
    portfolio.detect(DAY)
    portfolio.owner.execute(
        "UPDATE drift_event SET withdrawn = true WHERE customer_id = %s", portfolio.customer_id
    )

    assert (
        portfolio.owner.execute(
            "SELECT * FROM alerts.decide(p_customer_id => %s, p_event_ids => (SELECT"
            " array_agg(id) FROM drift_event WHERE customer_id = %s))",
            portfolio.customer_id,
            portfolio.customer_id,
        )
        == []
    )
