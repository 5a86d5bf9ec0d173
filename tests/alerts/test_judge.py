"""`alerts.judge`: what people say an alert was worth."""

from decimal import Decimal
from typing import Any

import psycopg2.errors
import pytest

from tests.alerts.stories import open_alert
from tests.portfolio import Portfolio
from tests.refusal import refused


def test_a_judgment_is_kept_with_its_money_and_note(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    alert, user_id = portfolio.alert(), portfolio.user()

    judgment_id = portfolio.judge(
        alert["id"], user_id, "real", p_recovered_amount=Decimal("1200.50"), p_note="Appealed."
    )

    [judgment] = portfolio.rows("alert_judgment")
    assert (judgment["id"], judgment["alert_id"]) == (judgment_id, alert["id"])
    assert (judgment["user_id"], judgment["verdict"]) == (user_id, "real")
    assert (judgment["recovered_amount"], judgment["note"]) == (Decimal("1200.50"), "Appealed.")
    # What was said of an alert doesn't change it.
    assert portfolio.alert() == alert
    assert portfolio.kinds() == ["opened"]


def test_the_latest_verdict_of_each_user_counts(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    alert_id = portfolio.alert()["id"]
    one, other = portfolio.user(), portfolio.user()

    first = portfolio.judge(alert_id, one, "noise", p_note="Only once.")
    portfolio.judge(alert_id, other, "needs_followup")
    again = portfolio.judge(alert_id, one, "real")

    assert first == again
    assert [
        (judgment["user_id"], judgment["verdict"], judgment["note"])
        for judgment in portfolio.rows("alert_judgment")
    ] == [(one, "real", ""), (other, "needs_followup", "")]


@pytest.mark.parametrize("verdict", ["", "NOISE", "fine", None])
def test_an_unknown_verdict_is_refused(portfolio: Portfolio, verdict: str | None) -> None:
    open_alert(portfolio)

    with refused("PD008", "noise, real or needs_followup"):
        portfolio.judge(portfolio.alert()["id"], portfolio.user(), verdict)


def test_an_unknown_alert_is_refused(portfolio: Portfolio, make_portfolio: Any) -> None:
    other = make_portfolio()
    open_alert(other)

    for alert_id in (-1, other.alert()["id"]):
        with refused("PD006"):
            portfolio.judge(alert_id, portfolio.user(), "real")


@pytest.mark.parametrize("amount", [Decimal("-0.01"), Decimal("NaN")])
def test_an_impossible_amount_is_refused(portfolio: Portfolio, amount: Decimal) -> None:
    open_alert(portfolio)

    with pytest.raises(psycopg2.errors.CheckViolation):
        portfolio.judge(
            portfolio.alert()["id"], portfolio.user(), "real", p_recovered_amount=amount
        )


def test_somebody_must_have_judged(portfolio: Portfolio) -> None:
    open_alert(portfolio)

    with pytest.raises(psycopg2.errors.NotNullViolation):
        portfolio.judge(portfolio.alert()["id"], None, "real")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        portfolio.judge(portfolio.alert()["id"], -1, "real")
