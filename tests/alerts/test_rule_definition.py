"""`alerts.rule_definition`: what a rule matches by."""

from tests.portfolio import Portfolio


def test_it_holds_scope_and_threshold_and_nothing_else(portfolio: Portfolio) -> None:
    assert portfolio.worker.value(
        "SELECT alerts.rule_definition(r) FROM alert_rule AS r WHERE r.customer_id = %s",
        portfolio.customer_id,
    ) == {
        "payer_id": None,
        "cpt_group_id": None,
        "metric": None,
        "direction": "worse",
        "measure": "severity",
        "comparison": "gte",
        "threshold": 0,
    }
