"""`alerts.review_rules`: live alerts are judged anew when their rule was edited."""

from typing import Any

import psycopg2.errors
import pytest

from tests.alerts.stories import CRITICAL, DAY, INFO, NORMAL, WARNING, open_alert, tell, week
from tests.portfolio import Portfolio


@pytest.mark.parametrize(
    "change",
    [
        {"direction": "better"},
        {"metric": "DECISION_DAYS"},
        {"threshold": 0.95},
        {"comparison": "lt", "threshold": 0.5},
        {"measure": "delta", "threshold": 0.5},
        {"measure": "relative_delta", "threshold": 5},
    ],
)
def test_an_alert_that_its_rule_no_longer_wants_is_resolved(
    portfolio: Portfolio, change: dict[str, Any]
) -> None:
    open_alert(portfolio, until=week(4))
    portfolio.edit_rule(portfolio.default_rule(), **change)

    portfolio.detect_weekly(week(1), week(3))

    alert = portfolio.alert()
    assert (alert["status"], alert["resolved_by"]) == ("resolved", "rule")
    assert alert["resolved_as_of"] == week(1)
    _, resolved = portfolio.rows("alert_transition")
    assert (resolved["kind"], resolved["note"]) == ("resolved", "rule changed")
    assert (resolved["version"], resolved["as_of"], resolved["actor_id"]) == (2, week(1), None)


@pytest.mark.parametrize(
    "change",
    [
        {"direction": "any"},
        {"metric": "DENIAL_RATE"},
        {"threshold": 0.5},
        {"measure": "relative_delta", "comparison": "gt", "threshold": 1},
    ],
)
def test_an_alert_that_its_rule_still_wants_stays(
    portfolio: Portfolio, change: dict[str, Any]
) -> None:
    open_alert(portfolio, until=week(4))
    portfolio.edit_rule(portfolio.default_rule(), **change)

    portfolio.detect(week(1))

    alert = portfolio.alert()
    assert (alert["status"], alert["occurrences"]) == ("open", 2)
    assert all(alert["rule_definition"][column] == value for column, value in change.items())
    assert portfolio.kinds() == ["opened"]


def test_while_nothing_drifts_only_the_scope_of_a_rule_counts(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.settings(clear_odds=1_000_000)
    portfolio.edit_rule(portfolio.default_rule(), threshold=0.95)

    portfolio.detect(week(2))
    assert portfolio.alert()["status"] == "open"
    portfolio.edit_rule(portfolio.default_rule(), payer_id=portfolio.payer("Cigna"))
    portfolio.detect(week(3))

    assert portfolio.alert()["resolved_by"] == "rule"


def test_another_rule_that_matches_takes_the_alert_over(portfolio: Portfolio) -> None:
    own = portfolio.rule("Aetna", payer_id=portfolio.payer("Aetna"))
    open_alert(portfolio, until=week(4))
    assert portfolio.alert()["rule_id"] == own
    portfolio.edit_rule(own, payer_id=portfolio.payer("Cigna"))

    portfolio.detect(week(1))

    alert = portfolio.alert()
    assert (alert["rule_id"], alert["status"]) == (portfolio.default_rule(), "open")
    assert alert["rule_definition"]["payer_id"] is None
    assert portfolio.kinds() == ["opened"]


def test_a_disabled_rule_takes_nothing_over(portfolio: Portfolio) -> None:
    own = portfolio.rule("Aetna", payer_id=portfolio.payer("Aetna"))
    open_alert(portfolio, until=week(4))
    portfolio.edit_rule(own, payer_id=portfolio.payer("Cigna"))
    portfolio.edit_rule(portfolio.default_rule(), enabled=False)

    portfolio.detect(week(1))

    assert portfolio.alert()["resolved_by"] == "rule"


def test_an_edited_rule_that_is_disabled_keeps_its_alert(portfolio: Portfolio) -> None:
    open_alert(portfolio, until=week(4))
    portfolio.edit_rule(portfolio.default_rule(), enabled=False, direction="better")

    portfolio.detect(week(1))

    assert (portfolio.alert()["status"], portfolio.kinds()) == ("open", ["opened"])


def test_a_rule_that_was_edited_back_reopens_within_the_cooldown(portfolio: Portfolio) -> None:
    open_alert(portfolio, until=week(4))
    portfolio.edit_rule(portfolio.default_rule(), direction="better")
    portfolio.detect(week(1))
    portfolio.edit_rule(portfolio.default_rule(), direction="worse")

    portfolio.detect(week(2))

    assert portfolio.kinds() == ["opened", "resolved", "reopened"]


def test_a_new_name_is_no_edit(portfolio: Portfolio) -> None:
    open_alert(portfolio, until=week(4))
    before = portfolio.alert()
    portfolio.edit_rule(portfolio.default_rule(), name="Anything worse")

    portfolio.detect(DAY)

    assert portfolio.alert() == before


def test_a_date_far_ahead_reviews_nothing(portfolio: Portfolio) -> None:
    open_alert(portfolio, until=week(4))
    portfolio.edit_rule(portfolio.default_rule(), direction="better")

    portfolio.detect(week(500))

    assert portfolio.alert()["status"] == "open"


def test_a_rule_with_alerts_cannot_be_deleted(portfolio: Portfolio) -> None:
    spare = portfolio.rule("Spare", direction="better")
    tell(portfolio, (DAY, INFO), (week(1), WARNING), (week(2), CRITICAL), (week(3), NORMAL))
    portfolio.detect(DAY)

    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        portfolio.worker.execute(
            "DELETE FROM alert_rule WHERE customer_id = %s AND id = %s",
            portfolio.customer_id,
            portfolio.default_rule(),
        )
    portfolio.worker.execute(
        "DELETE FROM alert_rule WHERE customer_id = %s AND id = %s", portfolio.customer_id, spare
    )
