"""`alerts.apply_events`: the trigger on drift_event, whoever writes one."""

from tests.alerts.stories import CRITICAL, DAY, tell, week
from tests.portfolio import Portfolio


def test_events_that_a_backfill_writes_raise_alerts_day_by_day(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), CRITICAL))
    portfolio.edit_rule(portfolio.default_rule(), enabled=False)
    portfolio.detect_weekly(DAY, week(2))
    portfolio.edit_rule(portfolio.default_rule(), enabled=True)
    assert len(portfolio.rows("drift_event")) == 3

    # One statement, three days: as if they had come one after the other.
    portfolio.owner.execute(
        "UPDATE drift_event SET withdrawn = false WHERE customer_id = %s", portfolio.customer_id
    )

    alert = portfolio.alert()
    assert (alert["opened_as_of"], alert["last_seen_as_of"]) == (DAY, week(2))
    assert alert["occurrences"] == 3
    assert portfolio.kinds() == ["opened"]


def test_the_backstop_keeps_a_second_live_alert_out(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    portfolio.detect(DAY)

    portfolio.owner.execute(
        "SELECT alerts.apply_events(%s, (SELECT array_agg(id) FROM drift_event"
        " WHERE customer_id = %s))",
        portfolio.customer_id,
        portfolio.customer_id,
    )

    assert (portfolio.alert()["occurrences"], portfolio.kinds()) == (1, ["opened"])
