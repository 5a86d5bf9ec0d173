"""`alerts.open_new`: drift that has no alert gets one."""

from datetime import timedelta

from tests.alerts.stories import CRITICAL, DAY, NORMAL, SHIFT, WARNING, open_alert, tell, week
from tests.portfolio import Portfolio


def test_an_alert_opens_with_the_baseline_of_its_event(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, WARNING))

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    alert = portfolio.alert()
    for column in (
        *("payer_id", "cpt_group_id", "metric", "direction"),
        *("baseline_start", "baseline_end", "baseline_n", "baseline_x", "baseline_value"),
    ):
        assert alert[column] == event[column], column
    assert alert["status"] == "open"
    assert alert["level"] == "warning"
    assert alert["peak_severity"] == event["severity"]
    assert alert["opening_delta"] == alert["opening_share_delta"] == event["delta"]
    assert (alert["baseline_dispersion"], alert["baseline_nu"]) == (1, event["nu"]) == (1, 12)
    assert alert["window_start"] == SHIFT
    assert alert["opened_as_of"] == alert["last_seen_as_of"] == alert["episode_as_of"] == DAY
    assert (alert["occurrences"], alert["version"], alert["muted"]) == (1, 1, False)
    assert alert["previous_alert_id"] is None
    [transition] = portfolio.rows("alert_transition")
    assert transition["alert_id"] == alert["id"]
    assert transition["at"] == alert["opened_at"] == alert["updated_at"]
    for column, value in {
        "version": 1,
        "kind": "opened",
        "from_status": None,
        "to_status": "open",
        "level": "warning",
        "severity": event["severity"],
        "as_of": DAY,
        "actor_id": None,
    }.items():
        assert transition[column] == value, column


def test_after_the_cooldown_a_new_alert_is_linked_to_the_last(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL), (week(4), NORMAL), (week(10), CRITICAL))
    portfolio.detect_weekly(DAY, week(6))

    former, new = portfolio.rows("alert")
    assert (former["status"], former["resolved_as_of"]) == ("resolved", week(2))
    assert (new["status"], new["opened_as_of"]) == ("open", week(5))
    assert new["previous_alert_id"] == former["id"]
    assert portfolio.kinds() == ["opened", "cleared", "opened", "escalated"]


def test_each_group_and_metric_and_a_payer_as_a_whole_has_an_alert_of_its_own(
    portfolio: Portfolio,
) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, CRITICAL), group="99214")
    tell(portfolio, (DAY, CRITICAL), payer="Cigna")
    portfolio.decide_period(DAY - timedelta(300), SHIFT, per_day=10, rate=0.1, days=5, payer="Slow")
    portfolio.decide_period(SHIFT, DAY, per_day=10, rate=0.3, days=25, payer="Slow")

    portfolio.detect(DAY)

    assert [
        (alert["payer_id"], alert["cpt_group_id"], alert["metric"])
        for alert in portfolio.rows("alert", "payer_id, cpt_group_id, metric")
    ] == [
        (portfolio.payer("Aetna"), portfolio.group("99213"), "DENIAL_RATE"),
        (portfolio.payer("Aetna"), portfolio.group("99214"), "DENIAL_RATE"),
        (portfolio.payer("Aetna"), None, "DENIAL_RATE"),
        (portfolio.payer("Cigna"), portfolio.group("99213"), "DENIAL_RATE"),
        (portfolio.payer("Slow"), portfolio.group("99213"), "DECISION_DAYS"),
        (portfolio.payer("Slow"), portfolio.group("99213"), "DENIAL_RATE"),
    ]


def test_two_directions_of_one_group_may_be_live_at_once(portfolio: Portfolio) -> None:
    portfolio.edit_rule(portfolio.default_rule(), direction="any")
    tell(portfolio, (DAY, CRITICAL), (week(4), 0.0), (week(8), NORMAL))

    portfolio.detect_weekly(DAY, week(2))

    up, down = portfolio.rows("alert")
    assert (up["direction"], up["status"]) == ("up", "resolved")
    assert (down["direction"], down["status"]) == ("down", "open")
    # Both are measured against what was normal when the first of them opened.
    for column in ("baseline_start", "baseline_end", "baseline_n", "baseline_x"):
        assert down[column] == up[column], column


def test_an_opened_alert_is_open_whatever_else_the_customer_has(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    tell(portfolio, (week(1), CRITICAL), payer="Cigna")

    portfolio.detect(week(1))

    assert [alert["opened_as_of"] for alert in portfolio.rows("alert")] == [DAY, week(1)]
