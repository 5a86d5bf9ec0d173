"""`drift.detect` and payers as a whole: a move that many small groups share is one alert."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from tests.alerts.stories import CRITICAL, DAY, NORMAL, SHIFT, START, WARNING, tell, week
from tests.drift.test_detect_again import detect_twice
from tests.portfolio import Portfolio

# Too small to be measured in a fortnight, and too little changed to be seen in eight weeks.
SMALL = [f"small {number}" for number in range(12)]


def tell_small(
    portfolio: Portfolio,
    *steps: tuple[date, float],
    payer: str = "Aetna",
    groups: Sequence[str] = SMALL,
    shift: date = SHIFT,
) -> None:
    """The lives of groups that have one decision a day: normal until `shift`, and then these rates.

    Denials are spread evenly over the groups as well: together they have each rate on each day.
    """
    lines: dict[tuple[int, int, date, int, bool], int] = {}
    for number, group in enumerate(groups):
        owed, day = number / len(groups), START
        for end, rate in ((shift, NORMAL), *steps):
            while day < end:
                owed += rate
                denied = owed >= 1
                owed -= denied
                lines[portfolio.payer(payer), portfolio.group(group), day, 10, denied] = 1
                day += timedelta(1)
    portfolio.decide_lines(lines)


def open_payer_alert(
    portfolio: Portfolio, until: date = DAY, end: date | None = None
) -> dict[str, Any]:
    """An alert on a payer as a whole that the run of DAY opened."""
    tell_small(portfolio, (until, CRITICAL), (end or week(12), NORMAL))
    portfolio.detect(DAY)
    alert = portfolio.alert()
    assert (alert["cpt_group_id"], alert["metric"], alert["status"]) == (
        None,
        "DENIAL_RATE",
        "open",
    )
    return alert


def whole(portfolio: Portfolio, as_of: date, payer: str = "Aetna") -> dict[str, Any] | None:
    """The measurement of the payer as a whole."""
    payer_id = portfolio.payer(payer)
    rows = [
        row
        for row in portfolio.measure(as_of)
        if (row["payer_id"], row["cpt_group_id"], row["metric"]) == (payer_id, None, "DENIAL_RATE")
    ]
    return rows[0] if rows else None


def by_group(portfolio: Portfolio) -> dict[int | None, dict[str, Any]]:
    """The newest alert of each group."""
    return {alert["cpt_group_id"]: alert for alert in portfolio.rows("alert")}


def test_many_small_groups_that_all_move_are_one_alert_on_their_payer(
    portfolio: Portfolio,
) -> None:
    tell_small(portfolio, (DAY, WARNING))
    tell_small(portfolio, (DAY, NORMAL), payer="Cigna")

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    alert = portfolio.alert()
    assert (alert["payer_id"], alert["cpt_group_id"]) == (portfolio.payer("Aetna"), None)
    assert (alert["metric"], alert["direction"]) == ("DENIAL_RATE", "up")
    assert (alert["muted"], alert["level"]) == (False, "warning")
    assert alert["window_start"] == SHIFT
    assert (event["baseline_n"], event["current_n"]) == (12 * 182, 12 * 14)
    assert event["q_value"] <= 0.01
    assert (event["ci_low"], event["ci_high"]) == (None, None)
    assert event["baseline_value"] == pytest.approx(NORMAL, abs=0.01)
    assert event["current_value"] == pytest.approx(WARNING, abs=0.05)


def test_its_groups_baselines_are_frozen_with_it(portfolio: Portfolio) -> None:
    alert = open_payer_alert(portfolio, until=week(30), end=week(30))
    [event] = portfolio.rows("drift_event")
    assert alert["baseline_strata"] == event["strata"]
    assert [(s["cpt_group_id"], s["n"]) for s in alert["baseline_strata"]] == [
        (portfolio.group(group), 182) for group in SMALL
    ]
    assert sum(s["x"] for s in alert["baseline_strata"]) == alert["baseline_x"]
    assert all(s["dispersion"] >= 1 for s in alert["baseline_strata"])
    assert alert["baseline_nu"] == 60

    # One of its groups has no part in it.
    tell_small(portfolio, (week(30), NORMAL), groups=["calm"])
    portfolio.detect_weekly(week(1), week(30))

    after = by_group(portfolio)[None]
    for column in ("baseline_n", "baseline_x", "baseline_value", "baseline_strata"):
        assert after[column] == alert[column], column
    assert (after["status"], after["occurrences"]) == ("open", 31)
    # In time its groups have enough lines for alerts of their own, which it speaks for.
    others = [row for row in portfolio.rows("alert") if row["id"] != alert["id"]]
    assert {row["muted_by_alert_id"] for row in others} == {alert["id"]}
    measured = whole(portfolio, week(30))
    assert measured is not None
    assert measured["frozen_alert_id"] == alert["id"]
    assert measured["baseline_n"] == alert["baseline_n"]
    # While it is live none of it is normal for any group: of 182 days the 14 before SHIFT are left.
    assert portfolio.measured(week(30), group="calm")["baseline_n"] == 14


def test_it_clears_when_its_groups_returned(portfolio: Portfolio) -> None:
    open_payer_alert(portfolio)

    for days in range(1, 14):
        portfolio.detect(DAY + timedelta(days))
        assert portfolio.alert()["status"] == "open"
    portfolio.detect_weekly(week(2), week(12))

    assert portfolio.kinds() == ["opened", "cleared"]
    alert = portfolio.alert()
    assert (alert["resolved_by"], alert["resolved_as_of"]) == ("cleared", week(2))
    assert alert["recovered_as_of"] == week(2)


def test_it_does_not_clear_while_half_of_them_stay(portfolio: Portfolio) -> None:
    tell_small(portfolio, (week(10), CRITICAL), groups=SMALL[:6])
    tell_small(portfolio, (DAY, CRITICAL), (week(10), NORMAL), groups=SMALL[6:])

    portfolio.detect_weekly(DAY, week(10))

    assert by_group(portfolio)[None]["status"] == "open"


def test_one_group_alone_is_not_its_payer(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, 0.6))
    tell_small(portfolio, (DAY, NORMAL))

    portfolio.detect(DAY)

    assert [alert["cpt_group_id"] for alert in portfolio.rows("alert")] == [
        portfolio.group("99213")
    ]
    measured = whole(portfolio, DAY)
    assert measured is not None
    assert measured["z"] > 5
    assert (measured["p_value"], measured["drifted"]) == (1, False)


def test_a_payer_with_one_group_has_no_measurement_of_its_own(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    # A second one that has no baseline makes it no whole.
    portfolio.decide_period(SHIFT, DAY, per_day=5, rate=CRITICAL, group="new")
    assert whole(portfolio, DAY) is None

    portfolio.detect(DAY)

    assert [alert["cpt_group_id"] for alert in portfolio.rows("alert")] == [
        portfolio.group("99213")
    ]
    portfolio.decide(DAY - timedelta(60), paid=1, group="new")
    assert whole(portfolio, DAY) is not None


def test_a_shift_of_the_mix_raises_nothing(portfolio: Portfolio) -> None:
    portfolio.edit_rule(portfolio.default_rule(), direction="any")
    # Most of the lines are of groups that are seldom denied, and then of those that often are.
    for number in range(3):
        for start, end, few, many in ((START, SHIFT, 2, 8), (SHIFT, week(6), 8, 2)):
            portfolio.decide_period(start, end, per_day=many, rate=0.05, group=f"seldom {number}")
            portfolio.decide_period(start, end, per_day=few, rate=0.5, group=f"often {number}")

    portfolio.detect_weekly(DAY, week(6))

    measured = whole(portfolio, DAY)
    assert measured is not None
    assert measured["delta"] > 0.2
    assert abs(measured["z"]) < 1
    assert portfolio.rows("drift_event") == []


def test_a_fall_is_an_event_and_no_alert_of_the_default_rule(portfolio: Portfolio) -> None:
    tell_small(portfolio, (SHIFT, 0.4), (DAY, 0.1), shift=START)

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    assert (event["direction"], event["cpt_group_id"]) == ("down", None)
    assert portfolio.rows("alert") == []


def test_the_family_of_payers_is_one_of_its_own_at_1_percent(portfolio: Portfolio) -> None:
    tell_small(portfolio, (DAY, WARNING))
    for other in range(4):
        tell_small(portfolio, (DAY, NORMAL), payer=f"Other {other}", groups=SMALL[:3])

    measured = whole(portfolio, DAY)

    assert measured is not None
    # Five payers, of which four have p = 1; hundreds of groups wouldn't matter.
    assert measured["q_value"] == pytest.approx(5 * measured["p_value"], rel=1e-12)
    assert measured["drifted"] is (measured["q_value"] <= 0.01)


@pytest.mark.parametrize(("rate", "drifted"), [(0.01, True), (0.001, False)])
def test_a_customer_may_ask_for_less_than_1_percent(
    portfolio: Portfolio, rate: float, drifted: bool
) -> None:
    tell_small(portfolio, (DAY, 0.22), groups=SMALL[:5])
    portfolio.settings(false_discovery_rate=rate)

    measured = whole(portfolio, DAY)

    assert measured is not None
    assert 0.001 < measured["q_value"] < 0.01
    assert measured["drifted"] is drifted


def test_between_looks_it_opens_at_a_tenth(portfolio: Portfolio) -> None:
    tell_small(portfolio, (week(3), 0.22), groups=SMALL[:5])
    portfolio.detect(SHIFT)
    portfolio.detect(SHIFT + timedelta(7))
    portfolio.detect(DAY - timedelta(1))

    events = [e for e in portfolio.rows("drift_event") if e["cpt_group_id"] is None]
    assert [(e["may_open"], 0.001 < e["q_value"] <= 0.01) for e in events] == [(False, True)]
    assert portfolio.rows("alert") == []
    portfolio.detect(DAY)

    assert portfolio.alert()["cpt_group_id"] is None


# Groups' alerts meanwhile


def tell_group_first(portfolio: Portfolio, back: date, end: date) -> None:
    """One group moves at SHIFT and stays; the small ones move at DAY, until they are back."""
    portfolio.decide_steps(START, [(SHIFT, NORMAL), (end, WARNING)], per_day=6)
    many = [f"{group} {more}" for group in SMALL for more in (1, 2)]
    tell_small(portfolio, (back, 0.35), (end, NORMAL), groups=many, shift=DAY)


def test_it_mutes_alerts_of_its_groups_until_it_cleared(portfolio: Portfolio) -> None:
    tell_group_first(portfolio, back=week(2), end=week(10))
    portfolio.detect(DAY)
    group_id = portfolio.group("99213")
    assert set(by_group(portfolio)) == {group_id}
    assert by_group(portfolio)[group_id]["muted"] is False

    detect_twice(portfolio, week(2))

    alerts = by_group(portfolio)
    speaker = alerts[None]
    assert (speaker["status"], speaker["muted"]) == ("open", False)
    assert (alerts[group_id]["muted"], alerts[group_id]["muted_by_alert_id"]) == (
        True,
        speaker["id"],
    )
    assert alerts[group_id]["muted_until"] is None

    for number in range(3, 9):
        portfolio.detect(week(number))
        alerts = by_group(portfolio)
        # From the very run on that cleared it.
        assert alerts[group_id]["muted"] is (alerts[None]["status"] != "resolved")

    assert (alerts[None]["status"], alerts[None]["resolved_by"]) == ("resolved", "cleared")
    assert (alerts[group_id]["status"], alerts[group_id]["muted"]) == ("open", False)
    assert alerts[group_id]["muted_by_alert_id"] is None


def test_a_group_that_escalates_as_its_payer_opens_is_muted_already(portfolio: Portfolio) -> None:
    steps = [(SHIFT, NORMAL), (DAY, WARNING), (week(2), 0.45)]
    portfolio.decide_steps(START, steps, per_day=6)
    many = [f"{group} {more}" for group in SMALL for more in (1, 2)]
    tell_small(portfolio, (week(2), 0.35), groups=many, shift=DAY)
    portfolio.detect(DAY)
    assert [alert["level"] for alert in portfolio.rows("alert")] == ["warning"]

    portfolio.detect(week(2))

    assert portfolio.kinds() == ["opened", "opened", "escalated"]
    group = by_group(portfolio)[portfolio.group("99213")]
    assert group["muted"] is True
    # Nothing was done to it after that transition, which therefore finds it muted.
    assert group["updated_at"] == portfolio.rows("alert_transition")[-1]["at"]


def test_when_a_user_resolves_it_its_groups_speak_again(portfolio: Portfolio) -> None:
    tell_group_first(portfolio, back=week(6), end=week(6))
    portfolio.detect_weekly(DAY, week(2))
    alerts = by_group(portfolio)
    group_id = portfolio.group("99213")
    assert alerts[group_id]["muted"] is True

    portfolio.resolve(alerts[None]["id"])
    assert by_group(portfolio)[group_id]["muted"] is False
    portfolio.reopen(alerts[None]["id"])
    assert by_group(portfolio)[group_id]["muted"] is True
    portfolio.resolve(alerts[None]["id"])
    portfolio.detect(week(3))

    assert by_group(portfolio)[group_id]["muted"] is False


def test_a_muted_alert_lives_on(portfolio: Portfolio) -> None:
    tell_group_first(portfolio, back=week(6), end=week(6))
    portfolio.detect_weekly(DAY, week(2))
    group_id = portfolio.group("99213")
    former = by_group(portfolio)[group_id]
    # It grows further.
    portfolio.decide(week(3) - timedelta(1), denied=80)

    portfolio.detect(week(3))

    alert = by_group(portfolio)[group_id]
    assert alert["occurrences"] == former["occurrences"] + 1
    assert alert["peak_severity"] > former["peak_severity"]
    # Not even the top band is heard: the payer's alert speaks.
    assert (alert["level"], alert["muted"]) == ("critical", True)
    assert "acknowledged" not in portfolio.kinds()
    portfolio.acknowledge(alert["id"])
    assert by_group(portfolio)[group_id]["status"] == "acknowledged"


def test_groups_that_drift_with_their_payer_open_muted(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), CRITICAL))
    tell(portfolio, (week(2), CRITICAL), group="99214")
    tell(portfolio, (week(2), CRITICAL), payer="Cigna")

    detect_twice(portfolio, DAY)

    muted = {
        (alert["payer_id"], alert["cpt_group_id"]): (alert["muted"], alert["muted_by_alert_id"])
        for alert in portfolio.rows("alert")
    }
    [speaker] = [alert for alert in portfolio.rows("alert") if alert["cpt_group_id"] is None]
    aetna, cigna = portfolio.payer("Aetna"), portfolio.payer("Cigna")
    assert muted == {
        (aetna, None): (False, None),
        (aetna, portfolio.group("99213")): (True, speaker["id"]),
        (aetna, portfolio.group("99214")): (True, speaker["id"]),
        (cigna, portfolio.group("99213")): (False, None),
    }
    assert portfolio.kinds() == ["opened"] * 4
    # From the first moment on: the payer's alert opens before those of its groups.
    for alert in portfolio.rows("alert"):
        assert alert["updated_at"] == alert["opened_at"]


def test_days_of_a_payers_episode_are_no_groups_normal(portfolio: Portfolio) -> None:
    open_payer_alert(portfolio, until=week(1), end=week(30))
    portfolio.detect_weekly(week(1), week(6))
    cleared = portfolio.alert()
    assert cleared["resolved_by"] == "cleared"
    out = (cleared["resolved_as_of"] - SHIFT).days

    measured = portfolio.measured(week(30), group=SMALL[0])

    assert measured["baseline_n"] == 182 - out
    whole_row = whole(portfolio, week(30))
    assert whole_row is not None
    assert whole_row["baseline_n"] == 12 * (182 - out)


def test_a_whole_payer_comes_back(portfolio: Portfolio) -> None:
    tell_small(portfolio, (DAY, CRITICAL), (week(2), NORMAL), (week(5), CRITICAL))
    portfolio.settings(cooldown_hours=24 * 30)

    for weeks in range(6):
        detect_twice(portfolio, week(weeks))
        portfolio.owner.execute(
            "UPDATE alert SET baseline_strata = NULL, baseline_nu = 5"
            " WHERE customer_id = %s AND status = 'resolved'",
            portfolio.customer_id,
        )

    assert portfolio.kinds()[:3] == ["opened", "cleared", "reopened"]
    alert = by_group(portfolio)[None]
    assert (alert["status"], alert["baseline_nu"]) == ("open", 60)
    # Measured against what is normal now, without the first episode.
    strata = alert["baseline_strata"]
    assert sum(s["x"] for s in strata) / sum(s["n"] for s in strata) == pytest.approx(0.1, abs=0.01)


def test_the_simple_method_knows_no_payers_as_a_whole(portfolio: Portfolio) -> None:
    portfolio.settings(method="threshold")
    tell_small(portfolio, (DAY, CRITICAL))

    portfolio.detect(DAY)

    assert whole(portfolio, DAY) is None
    assert portfolio.rows("alert") == []
