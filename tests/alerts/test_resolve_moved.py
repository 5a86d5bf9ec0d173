"""`alerts.resolve_moved`: no alert waits for claims that have moved away."""

from datetime import timedelta

from tests.alerts.stories import CRITICAL, DAY, NORMAL, tell
from tests.portfolio import Portfolio


def move(portfolio: Portfolio, **to: int) -> None:
    """Lead claims elsewhere, by alias or mapping, and do what the worker does then."""
    if "payer_id" in to:
        portfolio.worker.execute(
            "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'Aetna', %s)",
            portfolio.customer_id,
            to["payer_id"],
        )
    if "cpt_group_id" in to:
        portfolio.worker.execute(
            "INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id) VALUES (%s, '99213', %s)",
            portfolio.customer_id,
            to["cpt_group_id"],
        )
    portfolio.worker.execute("SELECT ingest.remap_claims(%s)", portfolio.customer_id)


def open_alert(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, NORMAL), payer="Cigna")
    portfolio.detect(DAY)
    assert portfolio.alert()["status"] == "open"


def test_an_alert_on_a_payer_without_claims_is_resolved(portfolio: Portfolio) -> None:
    open_alert(portfolio)

    move(portfolio, payer_id=portfolio.payer("Cigna"))

    alert = portfolio.alert()
    assert (alert["status"], alert["resolved_by"]) == ("resolved", "user")
    transition = portfolio.rows("alert_transition")[-1]
    assert (transition["kind"], transition["version"]) == ("resolved", alert["version"])
    assert transition["actor_id"] is None
    assert transition["note"] == "its claims were moved to another payer or group"


def test_an_alert_on_a_group_without_claims_is_resolved(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    tell(portfolio, (DAY, NORMAL), group="99214")

    move(portfolio, cpt_group_id=portfolio.group("Office visit"))

    assert portfolio.alert()["status"] == "resolved"


def test_one_claim_is_enough_for_it_to_stay(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.owner.execute(
        "UPDATE claim SET payer_name = 'Aetna too' WHERE id ="
        " (SELECT min(id) FROM claim WHERE customer_id = %s AND payer_name = 'Aetna')",
        portfolio.customer_id,
    )
    portfolio.worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'Aetna too', %s)",
        portfolio.customer_id,
        portfolio.payer("Aetna"),
    )

    move(portfolio, payer_id=portfolio.payer("Cigna"))

    assert portfolio.alert()["status"] == "open"


def test_a_payer_as_a_whole_stays_while_any_group_has_claims(portfolio: Portfolio) -> None:
    for number in range(4):
        tell(portfolio, (DAY, CRITICAL), group=f"9921{number}")
        tell(portfolio, (DAY, NORMAL), payer="Cigna", group=f"9921{number}")
    portfolio.detect(DAY)
    whole = {a["id"] for a in portfolio.rows("alert") if a["cpt_group_id"] is None}
    gone = {
        a["id"] for a in portfolio.rows("alert") if a["cpt_group_id"] == portfolio.group("99213")
    }
    assert whole
    assert gone

    move(portfolio, cpt_group_id=portfolio.group("Office visit"))

    resolved = {a["id"] for a in portfolio.rows("alert") if a["status"] == "resolved"}
    assert resolved == gone


def test_what_is_resolved_stays_as_it_is(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.resolve()
    before = portfolio.snapshot(("alert", "alert_transition"))

    move(portfolio, payer_id=portfolio.payer("Cigna"))

    assert portfolio.snapshot(("alert", "alert_transition")) == before


def test_the_next_runs_are_quiet(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    move(portfolio, payer_id=portfolio.payer("Cigna"))

    for days in (0, 7, 14):
        portfolio.detect(DAY + timedelta(days))
        assert [
            a["status"]
            for a in portfolio.rows("alert")
            if a["payer_id"] == portfolio.payer("Aetna")
        ] == ["resolved"]
