"""`ingest.move_rules`: the rules on a payer that is merged."""

from typing import Any

import pytest

from tests.ingest.naming import merge
from tests.portfolio import Portfolio

RULE = {"direction": "any", "measure": "delta", "threshold": 0.2, "level": None}


def rules(portfolio: Portfolio) -> dict[str, tuple[int | None, bool]]:
    """Payer of each rule but the default one, and whether it is enabled."""
    return {
        rule["name"]: (rule["payer_id"], rule["enabled"])
        for rule in portfolio.rows("alert_rule")
        if rule["name"] != "Any worsening"
    }


def test_its_rules_move(portfolio: Portfolio) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    portfolio.rule("Loud", payer_id=old, **RULE)
    portfolio.rule("Quiet", payer_id=old, enabled=False, **RULE)
    portfolio.rule("Other", payer_id=new, **RULE | {"threshold": 0.3})
    portfolio.rule("Any", **RULE)

    merge(portfolio, old, new)

    assert rules(portfolio) == {
        "Loud": (new, True),
        "Quiet": (new, False),
        "Other": (new, True),
        "Any": (None, True),
    }


@pytest.mark.parametrize(
    "difference",
    [
        {},
        {"metric": "DENIAL_RATE"},
        {"direction": "worse"},
        {"measure": "severity"},
        {"comparison": "gt"},
        {"threshold": 0.21},
        {"level": "critical"},
        {"enabled": False},
    ],
    ids=lambda difference: next(iter(difference), "none"),
)
def test_a_rule_that_the_other_has_already_is_disabled(
    portfolio: Portfolio, difference: dict[str, Any]
) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    group_id = portfolio.group("99213")
    portfolio.rule("Former", payer_id=old, cpt_group_id=group_id, **RULE)
    portfolio.rule("Own", payer_id=new, cpt_group_id=group_id, **RULE | difference)

    merge(portfolio, old, new)

    assert rules(portfolio)["Former"] == ((new, True) if difference else (old, False))


def test_a_rule_on_another_group_moves(portfolio: Portfolio) -> None:
    old, new = portfolio.payer("Old"), portfolio.payer("New")
    portfolio.rule("Former", payer_id=old, cpt_group_id=portfolio.group("99213"), **RULE)
    portfolio.rule("Own", payer_id=new, cpt_group_id=portfolio.group("99214"), **RULE)

    merge(portfolio, old, new)

    assert rules(portfolio)["Former"] == (new, True)
