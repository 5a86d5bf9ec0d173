"""`drift.detect` over simulated days: long lives, and worlds in which nothing happens."""

import random
from collections import Counter
from datetime import date, timedelta

from tests.alerts.stories import CRITICAL, DAY, NORMAL, SHIFT, START, tell, week
from tests.portfolio import Portfolio


def test_a_lasting_step_is_one_alert_still_open_after_40_weeks(portfolio: Portfolio) -> None:
    tell(portfolio, (week(40), CRITICAL))

    portfolio.detect_weekly(DAY, week(40))

    alert = portfolio.alert()
    assert (alert["status"], alert["occurrences"], alert["version"]) == ("open", 41, 1)
    assert portfolio.kinds() == ["opened"]


def test_a_spike_of_40_days_is_one_alert_and_its_end_raises_nothing(portfolio: Portfolio) -> None:
    # Also not when recoveries alert: against its frozen baseline it never is one.
    portfolio.edit_rule(portfolio.default_rule(), direction="any")
    tell(portfolio, (SHIFT + timedelta(40), CRITICAL), (week(50), NORMAL))

    for days in range(0, 7 * 50, 2):
        portfolio.detect(DAY + timedelta(days))

    alert = portfolio.alert()
    assert (alert["status"], alert["resolved_by"]) == ("resolved", "cleared")
    assert alert["resolved_as_of"] <= SHIFT + timedelta(40 + 16)
    assert portfolio.kinds() == ["opened", "cleared"]
    assert {event["direction"] for event in portfolio.rows("drift_event")} == {"up"}


def test_a_recovery_from_a_level_that_became_normal_is_no_alert(portfolio: Portfolio) -> None:
    tell(portfolio, (week(40), CRITICAL), (week(60), NORMAL))
    portfolio.detect(DAY)
    portfolio.resolve(p_new_normal=True)

    portfolio.detect_weekly(week(1), week(45))

    assert portfolio.rows("drift_event")[-1]["direction"] == "down"
    assert portfolio.kinds() == ["opened", "resolved"]


def test_a_group_that_only_falls_is_an_event_and_no_alert(portfolio: Portfolio) -> None:
    portfolio.decide_steps(START, [(SHIFT, 0.4), (week(3), 0.1)])

    portfolio.detect_weekly(DAY, week(3))

    events = portfolio.rows("drift_event")
    assert [event["direction"] for event in events] == ["down"] * 4
    assert all(event["delta"] < 0 and event["z"] < 0 for event in events)
    assert portfolio.rows("alert") == []


def test_an_appeal_wave_in_an_unchanged_portfolio_raises_nothing(portfolio: Portfolio) -> None:
    generator = random.Random(1)  # noqa: S311
    lines: Counter[tuple[int, int, date, int, bool]] = Counter()
    groups = [
        (portfolio.payer(f"payer {payer}"), portfolio.group(f"group {group}"))
        for payer in range(3)
        for group in range(2)
    ]
    for payer_id, group_id in groups:
        for number in range(300 * 8):
            decided = START + timedelta(number // 8)
            lines[payer_id, group_id, decided, 10, number % 5 == 0] += 1
    portfolio.decide_lines(lines)
    latest = "SELECT outcome, count(*) FROM claim WHERE customer_id = %s GROUP BY outcome"
    assert dict(portfolio.owner.execute(latest, portfolio.customer_id))["DENIED"] == 2880

    for number in range(43):
        day = START + timedelta(7 * number)
        # Of the denials of a week, 40 to 50 % are overturned 30 to 45 days later.
        portfolio.owner.execute(
            """
            UPDATE claim
            SET outcome = 'PAID', decided_date = first_decided_date + 30 + (id %% 16)::int
            WHERE customer_id = %s AND first_outcome = 'DENIED' AND outcome = 'DENIED'
                AND first_decided_date BETWEEN %s - 51 AND %s - 45 AND id * 7919 %% 100 < %s
            """,
            portfolio.customer_id,
            day,
            day,
            generator.randint(40, 50),
        )
        portfolio.detect(day)

    overturned = dict(portfolio.owner.execute(latest, portfolio.customer_id))
    assert 1000 < 2880 - overturned["DENIED"] < 1500
    assert any(row["sufficient"] for row in portfolio.rows("drift_measurement"))
    assert portfolio.rows("drift_event") == []


def test_new_claims_of_a_day_update_its_events_in_place(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, CRITICAL), payer="Cigna")
    portfolio.detect(DAY)
    before = portfolio.snapshot()
    portfolio.decide(DAY - timedelta(3), denied=10)

    portfolio.detect(DAY)

    after = portfolio.snapshot()
    for table in ("drift_measurement", "drift_event"):
        assert [row["id"] for row in after[table]] == [row["id"] for row in before[table]]
    [updated] = [
        (old, new)
        for old, new in zip(before["drift_event"], after["drift_event"], strict=True)
        if old["payer_id"] == portfolio.payer("Aetna")
    ]
    assert updated[0]["current_n"] + 10 == updated[1]["current_n"]
    assert updated[0]["created_at"] == updated[1]["created_at"]
    assert len(after["alert_transition"]) == 2


def test_corrected_claims_withdraw_an_event_and_bring_it_back(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    portfolio.detect(DAY)
    # Of 42 denials 14 remain: the old 10 %.
    portfolio.owner.execute(
        """
        UPDATE claim AS c SET outcome = 'PAID', first_outcome = 'PAID'
        FROM (
            SELECT id, row_number() OVER (ORDER BY id) AS number FROM claim
            WHERE customer_id = %s AND first_decided_date >= %s AND first_outcome = 'DENIED'
        ) AS denied
        WHERE c.id = denied.id AND denied.number > 14
        """,
        portfolio.customer_id,
        SHIFT,
    )
    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    assert event["withdrawn"] is True
    alert = portfolio.alert()
    assert (alert["status"], alert["occurrences"]) == ("open", 1)
    assert portfolio.rows("drift_run")[-1]["events_found"] == 0
    portfolio.decide(DAY - timedelta(1), denied=60)
    portfolio.detect(DAY)

    [again] = portfolio.rows("drift_event")
    assert (again["id"], again["withdrawn"]) == (event["id"], False)
    assert portfolio.alert()["occurrences"] == 1


def test_an_event_may_turn_round(portfolio: Portfolio) -> None:
    portfolio.edit_rule(portfolio.default_rule(), direction="any")
    tell(portfolio, (DAY, CRITICAL))
    portfolio.detect(DAY)
    portfolio.owner.execute(
        "UPDATE claim SET outcome = 'PAID', first_outcome = 'PAID'"
        " WHERE customer_id = %s AND first_decided_date >= %s",
        portfolio.customer_id,
        SHIFT,
    )

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    assert (event["direction"], event["withdrawn"]) == ("down", False)
    assert [alert["direction"] for alert in portfolio.rows("alert")] == ["up", "down"]


def test_days_without_runs_are_no_matter(portfolio: Portfolio) -> None:
    tell(portfolio, (week(10), CRITICAL), (week(30), NORMAL))

    for day in (DAY, week(9), week(12), week(29)):
        portfolio.detect(day)

    assert portfolio.kinds() == ["opened", "cleared"]
    assert portfolio.alert()["resolved_as_of"] == week(12)
