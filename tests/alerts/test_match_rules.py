"""`alerts.match_rules`: which rule owns a change, and how loud it is."""

import itertools
from typing import Any

import pytest

from tests.alerts.stories import CRITICAL, DAY, INFO, tell
from tests.portfolio import Portfolio


def match(portfolio: Portfolio, severity: float | None = 0.5, **change: Any) -> dict[str, Any]:
    """The owner of a change of Aetna's 99213; empty when there is none."""
    rows = portfolio.worker.dicts(
        """
        SELECT * FROM alerts.match_rules(
            p_customer_id => %s, p_payer_id => %s, p_cpt_group_id => %s, p_metric => %s,
            p_direction => %s, p_severity => %s, p_delta => %s, p_relative_delta => %s
        )
        """,
        portfolio.customer_id,
        portfolio.payer("Aetna"),
        change.get("group_id", portfolio.group("99213")),
        change.get("metric", "DENIAL_RATE"),
        change.get("direction", "up"),
        severity,
        change.get("delta", 0.1),
        change.get("relative_delta", 1.0),
    )
    return rows[0] if rows else {}


def test_payer_counts_more_than_group_and_group_more_than_metric(portfolio: Portfolio) -> None:
    scopes = {
        "payer_id": portfolio.payer("Aetna"),
        "cpt_group_id": portfolio.group("99213"),
        "metric": "DENIAL_RATE",
    }
    # From the most specific to the least.
    ids = [
        portfolio.rule(f"rule {names}", **{name: scopes[name] for name in names})
        for names in (
            names
            for subset in itertools.product((True, False), repeat=3)
            if any(subset)
            for names in [tuple(itertools.compress(scopes, subset))]
        )
    ]

    for rule_id in [*ids, portfolio.default_rule()]:
        assert match(portfolio)["rule_id"] == rule_id
        portfolio.edit_rule(rule_id, enabled=False)
    assert match(portfolio) == {}


def test_of_equally_specific_rules_the_loudest_and_then_the_oldest_owns(
    portfolio: Portfolio,
) -> None:
    portfolio.rule("quiet", level="info")
    loud = portfolio.rule("loud", level="critical")
    portfolio.rule("as loud", level="critical")

    assert match(portfolio)["rule_id"] == loud
    portfolio.edit_rule(loud, level="info")
    portfolio.edit_rule(portfolio.default_rule(), level="critical")
    assert match(portfolio)["rule_id"] == portfolio.default_rule()


def test_other_matching_rules_only_raise_the_level(portfolio: Portfolio) -> None:
    own = portfolio.rule("Aetna", payer_id=portfolio.payer("Aetna"), level="info")

    assert match(portfolio, 0.5) == {
        "rule_id": own,
        "level": "warning",
        "definition": match(portfolio, 0.5)["definition"],
    }
    assert match(portfolio, 0.1)["level"] == "info"
    portfolio.edit_rule(portfolio.default_rule(), level="critical")
    assert match(portfolio, 0.1)["level"] == "critical"


def test_two_rules_that_match_one_drift_make_one_alert(portfolio: Portfolio) -> None:
    own = portfolio.rule("Aetna", payer_id=portfolio.payer("Aetna"), level="info")
    tell(portfolio, (DAY, CRITICAL))

    portfolio.detect(DAY)

    alert = portfolio.alert()
    assert (alert["rule_id"], alert["level"]) == (own, "critical")
    assert portfolio.kinds() == ["opened"]


@pytest.mark.parametrize("direction", ["worse", "better", "any"])
def test_the_direction_of_a_rule_decides_what_alerts(portfolio: Portfolio, direction: str) -> None:
    portfolio.edit_rule(portfolio.default_rule(), direction=direction)
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, 0.0), payer="Cigna")

    portfolio.detect(DAY)

    assert {event["direction"] for event in portfolio.rows("drift_event")} == {"up", "down"}
    assert [alert["direction"] for alert in portfolio.rows("alert", "direction")] == {
        "worse": ["up"],
        "better": ["down"],
        "any": ["down", "up"],
    }[direction]


def test_drift_that_no_rule_wants_is_an_event_and_no_alert(portfolio: Portfolio) -> None:
    portfolio.edit_rule(portfolio.default_rule(), threshold=0.5)
    tell(portfolio, (DAY, INFO))

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    assert event["severity"] < 0.5
    assert portfolio.rows("alert") == []


def test_another_customers_rules_do_not_count(portfolio: Portfolio, make_portfolio: Any) -> None:
    other = make_portfolio()
    portfolio.edit_rule(portfolio.default_rule(), enabled=False)
    other.rule("loud", level="critical")

    assert match(portfolio) == {}


def test_with_no_severity_only_the_scope_counts(portfolio: Portfolio) -> None:
    portfolio.edit_rule(portfolio.default_rule(), threshold=0.9)

    assert match(portfolio, 0.5) == {}
    assert match(portfolio, None)["rule_id"] == portfolio.default_rule()
    assert match(portfolio, None)["level"] is None
    assert match(portfolio, None, direction="down") == {}


def test_the_payer_as_a_whole_is_matched_by_rules_without_a_group(portfolio: Portfolio) -> None:
    portfolio.rule("a group", cpt_group_id=portfolio.group("99213"))

    assert match(portfolio, group_id=None)["rule_id"] == portfolio.default_rule()
