"""`alerts.see_again`: a live alert is counted once a day, and escalates when it gets worse."""

from datetime import timedelta

from tests.alerts.stories import CRITICAL, DAY, INFO, NORMAL, WARNING, tell, week
from tests.portfolio import Portfolio


def test_seen_on_another_day_it_is_counted_without_a_transition(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), CRITICAL))
    portfolio.detect(DAY)
    opened = portfolio.alert()

    portfolio.detect(week(1))
    portfolio.detect(week(2))

    alert = portfolio.alert()
    assert (alert["occurrences"], alert["last_seen_as_of"]) == (3, week(2))
    assert (alert["version"], alert["opened_as_of"], alert["episode_as_of"]) == (1, DAY, DAY)
    assert alert["updated_at"] > opened["updated_at"]
    assert portfolio.kinds() == ["opened"]


def test_new_claims_of_the_same_day_are_no_new_occurrence(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, WARNING))
    portfolio.detect(DAY)
    portfolio.decide(DAY - timedelta(1), denied=1)

    portfolio.detect(DAY)

    alert = portfolio.alert()
    assert (alert["occurrences"], alert["version"]) == (1, 1)
    # It peaked higher, within its band.
    assert alert["peak_severity"] == portfolio.rows("drift_event")[0]["severity"]
    assert portfolio.kinds() == ["opened"]


def test_each_rise_of_the_band_is_one_escalation_and_it_never_falls(portfolio: Portfolio) -> None:
    tell(
        portfolio,
        *((DAY, INFO), (week(2), INFO), (week(4), WARNING), (week(6), WARNING)),
        *((week(8), CRITICAL), (week(10), INFO), (week(12), CRITICAL)),
    )

    portfolio.detect_weekly(DAY, week(12))

    transitions = portfolio.rows("alert_transition")
    assert [(row["kind"], row["level"]) for row in transitions] == [
        ("opened", "info"),
        ("escalated", "warning"),
        ("escalated", "critical"),
    ]
    assert [row["version"] for row in transitions] == [1, 2, 3]
    assert all(row["from_status"] == row["to_status"] == "open" for row in transitions[1:])
    alert = portfolio.alert()
    assert (alert["level"], alert["occurrences"]) == ("critical", 13)
    assert alert["peak_severity"] == max(e["severity"] for e in portfolio.rows("drift_event"))


def test_an_acknowledged_alert_escalates_and_stays_acknowledged(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO), (week(2), CRITICAL))
    portfolio.detect(DAY)
    portfolio.acknowledge()

    portfolio.detect(week(2))

    alert = portfolio.alert()
    assert (alert["status"], alert["level"], alert["version"]) == ("acknowledged", "critical", 3)
    escalated = portfolio.rows("alert_transition")[-1]
    assert escalated["kind"] == "escalated"
    assert escalated["from_status"] == escalated["to_status"] == "acknowledged"


def test_a_rule_that_becomes_louder_escalates_once(portfolio: Portfolio) -> None:
    rule_id = portfolio.default_rule()
    portfolio.edit_rule(rule_id, level="info")
    tell(portfolio, (week(3), CRITICAL))
    portfolio.detect(DAY)
    assert portfolio.alert()["level"] == "info"
    portfolio.edit_rule(rule_id, level="warning")

    portfolio.detect_weekly(week(1), week(3))

    assert portfolio.alert()["level"] == "warning"
    assert portfolio.kinds() == ["opened", "escalated"]


def test_a_rule_that_becomes_quieter_changes_nothing(portfolio: Portfolio) -> None:
    tell(portfolio, (week(1), CRITICAL))
    portfolio.detect(DAY)
    portfolio.edit_rule(portfolio.default_rule(), level="info")

    portfolio.detect(week(1))

    assert portfolio.alert()["level"] == "critical"
    assert portfolio.kinds() == ["opened"]


def test_the_band_rises_even_where_the_rule_fixes_the_level(portfolio: Portfolio) -> None:
    portfolio.edit_rule(portfolio.default_rule(), level="info")
    tell(portfolio, (DAY, INFO), (week(2), CRITICAL))

    portfolio.detect_weekly(DAY, week(2))

    assert portfolio.alert()["level"] == "info"
    assert portfolio.kinds() == ["opened", "escalated", "escalated"]


def test_under_a_disabled_rule_it_is_seen_but_never_escalates(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO), (week(2), CRITICAL))
    portfolio.detect(DAY)
    former = portfolio.alert()
    portfolio.edit_rule(portfolio.default_rule(), enabled=False)

    portfolio.detect(week(2))

    alert = portfolio.alert()
    assert (alert["occurrences"], alert["last_seen_as_of"]) == (2, week(2))
    assert (alert["level"], alert["peak_severity"]) == ("info", former["peak_severity"])
    assert portfolio.kinds() == ["opened"]


def test_the_peak_counts_again_once_the_rule_is_enabled(portfolio: Portfolio) -> None:
    rule_id = portfolio.default_rule()
    tell(portfolio, (DAY, INFO), (week(3), CRITICAL))
    portfolio.detect(DAY)
    portfolio.edit_rule(rule_id, enabled=False)
    portfolio.detect(week(2))
    portfolio.edit_rule(rule_id, enabled=True)

    portfolio.detect(week(3))

    assert portfolio.alert()["level"] == "critical"
    assert portfolio.kinds() == ["opened", "escalated"]


def test_a_muted_alert_is_heard_in_the_top_band(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO), (week(2), WARNING), (week(4), CRITICAL), (week(6), NORMAL))
    portfolio.detect(DAY)
    portfolio.owner.execute(
        "UPDATE alert SET muted = true, muted_until = now() + interval '90 days'"
        " WHERE customer_id = %s",
        portfolio.customer_id,
    )

    portfolio.detect(week(2))
    assert portfolio.alert()["muted"] is True
    portfolio.detect(week(4))
    assert portfolio.alert()["muted"] is False
