"""`drift.detect` again: a repeated run changes nothing, whatever happened on its day."""

import random
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import psycopg2
import pytest

from tests.alerts.stories import (
    CRITICAL,
    DAY,
    INFO,
    NORMAL,
    START,
    open_alert,
    tell,
    tell_others,
    week,
)
from tests.portfolio import Portfolio

LIVE = ("open", "acknowledged")
RANKS = {"info": 1, "warning": 2, "critical": 3}


def detect_twice(portfolio: Portfolio, day: date) -> None:
    """Run, and run again: all rows stay as they are, but for the run log."""
    portfolio.detect(day)
    repeat(portfolio, day)


def repeat(portfolio: Portfolio, day: date) -> None:
    before = portfolio.snapshot()
    runs = portfolio.rows("drift_run")
    portfolio.detect(day)
    after = portfolio.snapshot()
    for table, rows in before.items():
        assert len(after[table]) == len(rows), table
        for was, is_now in zip(rows, after[table], strict=True):
            changed = {name: (was[name], is_now[name]) for name in was if was[name] != is_now[name]}
            assert changed == {}, (table, was["id"], day)
    *former, run = portfolio.rows("drift_run")
    assert former == runs
    first = next(r for r in runs if r["as_of"] == day and r["measurement_run_id"] is None)
    assert run["measurement_run_id"] == first["id"]
    for column in ("groups_measured", "groups_insufficient", "events_found"):
        assert run[column] == runs[-1][column], column


def test_on_a_day_on_which_alerts_opened(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    portfolio.decide_period(START, DAY, per_day=5, rate=0.2, payer="Cigna")

    detect_twice(portfolio, DAY)

    assert portfolio.kinds() == ["opened"]


def test_on_a_day_on_which_one_was_seen_and_escalated(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO), (week(2), CRITICAL))
    portfolio.detect(DAY)

    detect_twice(portfolio, week(2))

    assert portfolio.kinds() == ["opened", "escalated"]


def test_on_a_day_on_which_one_cleared(portfolio: Portfolio) -> None:
    open_alert(portfolio)

    detect_twice(portfolio, week(2))

    assert portfolio.kinds() == ["opened", "cleared"]


@pytest.mark.parametrize("spike_ends", [0, 20])
def test_on_a_day_on_which_one_was_reopened(portfolio: Portfolio, spike_ends: int) -> None:
    end = week(spike_ends)
    tell(portfolio, (end, CRITICAL), (end + timedelta(14), NORMAL), (week(40), CRITICAL))
    tell_others(portfolio, week(spike_ends + 3))
    portfolio.detect_weekly(DAY, week(spike_ends + 2))

    detect_twice(portfolio, week(spike_ends + 3))

    assert portfolio.kinds() == ["opened", "cleared", "reopened"]


@pytest.mark.parametrize(
    "moves",
    [
        ["acknowledge"],
        ["resolve"],
        ["resolve", "reopen"],
        ["resolve", "reopen", "resolve"],
        ["resolve", "reopen", "resolve", "reopen", "acknowledge"],
    ],
)
@pytest.mark.parametrize("weeks", [0, 1, 9, 12, 13, 20])
def test_when_a_user_was_at_work_in_between(
    portfolio: Portfolio, weeks: int, moves: list[str]
) -> None:
    # Week 0: opened; 1: seen; 9: seen long after; 12: cleared; 13: not drifted; 20: reopened.
    portfolio.settings(cooldown_hours=24 * 70)
    tell(portfolio, (week(10), CRITICAL), (week(19), NORMAL), (week(30), CRITICAL))
    portfolio.detect_weekly(DAY, week(weeks))
    status = portfolio.alert()["status"]
    if status == "resolved":
        moves = ["reopen", *moves]

    for move in moves:
        getattr(portfolio, move)()
        repeat(portfolio, week(weeks))


def test_when_a_new_normal_was_declared_in_between(portfolio: Portfolio) -> None:
    tell(portfolio, (week(30), CRITICAL))
    portfolio.detect_weekly(DAY, week(2))
    portfolio.resolve(p_new_normal=True)

    repeat(portfolio, week(2))
    for weeks in range(3, 30):
        detect_twice(portfolio, week(weeks))

    assert portfolio.kinds() == ["opened", "resolved"]


def test_when_a_new_normal_was_undone_in_between(portfolio: Portfolio) -> None:
    tell(portfolio, (week(30), CRITICAL))
    portfolio.detect(DAY)
    portfolio.resolve(p_new_normal=True)
    portfolio.detect_weekly(week(1), week(20))

    for move in (portfolio.reopen, portfolio.resolve, portfolio.reopen):
        move()
        repeat(portfolio, week(20))
    detect_twice(portfolio, week(21))

    assert portfolio.measured(week(21))["frozen_alert_id"] == portfolio.alert()["id"]


def test_on_a_day_on_which_one_was_reopened_twice(portfolio: Portfolio) -> None:
    tell(portfolio, (week(16), CRITICAL), (week(18), NORMAL), (week(30), CRITICAL))
    portfolio.detect_weekly(DAY, week(18))
    detect_twice(portfolio, week(19))
    baseline_n = portfolio.alert()["baseline_n"]
    portfolio.resolve()
    # It grew on the same day.
    portfolio.decide(week(19) - timedelta(1), denied=60)

    detect_twice(portfolio, week(19))

    assert portfolio.kinds() == ["opened", "cleared", "reopened", "resolved", "reopened"]
    assert portfolio.alert()["baseline_n"] == baseline_n


def test_when_what_a_user_resolved_had_gone_before(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.settings(clear_odds=1_000_000)
    portfolio.detect(week(2))
    assert portfolio.measured(week(2))["drifted"] is False
    portfolio.resolve()

    repeat(portfolio, week(2))
    portfolio.detect(week(3))

    assert portfolio.alert()["rearmed"] is True


def test_late_claims_may_reopen_what_cleared_on_the_same_day(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.detect(week(2))
    assert portfolio.alert()["status"] == "resolved"
    frozen = portfolio.alert()["baseline_end"]
    portfolio.decide(week(2) - timedelta(1), denied=80)

    detect_twice(portfolio, week(2))

    assert portfolio.kinds() == ["opened", "cleared", "reopened"]
    assert portfolio.alert()["baseline_end"] == frozen


def test_a_history_that_shrank_below_every_rung_hangs_nothing(portfolio: Portfolio) -> None:
    portfolio.settings(guard_days=14, baseline_days=28)
    tell(portfolio, (week(3), CRITICAL))
    portfolio.detect(DAY)
    portfolio.resolve(p_new_normal=True)
    portfolio.owner.execute(
        "DELETE FROM claim WHERE customer_id = %s AND first_decided_date < %s",
        portfolio.customer_id,
        week(-2),
    )
    portfolio.worker.execute("SET statement_timeout = '20s'")

    detect_twice(portfolio, week(1))

    portfolio.worker.execute("RESET statement_timeout")
    [last] = {run["id"] for run in portfolio.rows("drift_run") if run["as_of"] == week(1)} & {
        row["run_id"] for row in portfolio.rows("drift_measurement")
    }
    assert {
        row["baseline_n"] for row in portfolio.rows("drift_measurement") if row["run_id"] == last
    } == {0}


# Lives at random


class Life:
    """Weeks of changing rates, users at work, late claims and edited rules, from one seed."""

    def __init__(self, portfolio: Portfolio, seed: int) -> None:
        self.portfolio = portfolio
        self.random = random.Random(seed)  # noqa: S311
        self.user_id = portfolio.user()
        self.groups = [(f"payer {p}", f"group {g}") for p in range(2) for g in range(2)]
        choose = self.random.choice
        portfolio.settings(
            method=choose(("significance", "significance", "threshold")),
            guard_days=choose((56, 56, 28, 14)),
            baseline_days=choose((182, 60)),
            min_volume=choose((30, 10)),
            clear_odds=choose((20, 2)),
            cooldown_hours=choose((168, 0, 24 * 90)),
        )
        portfolio.edit_rule(portfolio.default_rule(), direction=choose(("worse", "any")))
        lines: Counter[tuple[int, int, date, int, bool]] = Counter()
        silences = {
            payer: {choose(range(0, 190, 14)) for _ in range(choose((0, 0, 1, 3)))}
            for payer, _ in self.groups
        }
        for payer, group in self.groups:
            rate, days = NORMAL, 10
            for age in range(-150, 190):
                if age % 14 == 0 and age >= -14:
                    rate = choose((NORMAL, NORMAL, rate, 0.0, 0.2, 0.3, 0.5))
                    days = choose((10, 10, days, 16, 30))
                # Now and then a payer is silent for four weeks.
                if {age // 14 * 14, age // 14 * 14 - 14} & silences[payer]:
                    continue
                for _ in range(self.random.randint(0, 8)):
                    took = max(0, days + self.random.randint(-4, 4))
                    denied = self.random.random() < rate
                    key = (portfolio.payer(payer), portfolio.group(group))
                    lines[*key, DAY + timedelta(age), took, denied] += 1
        portfolio.decide_lines(lines)

    def live(self) -> None:
        day = DAY
        while day < DAY + timedelta(180):
            if self.random.random() < 0.3:
                self.edit_a_rule()
            detect_twice(self.portfolio, day)
            for _ in range(self.random.choice((0, 0, 1, 1, 3))):
                self.move()
            repeat(self.portfolio, day)
            if self.random.random() < 0.2:
                payer, group = self.random.choice(self.groups)
                self.portfolio.decide(
                    day - timedelta(self.random.randint(1, 80)),
                    denied=self.random.randint(0, 9),
                    paid=self.random.randint(1, 9),
                    payer=payer,
                    group=group,
                )
                detect_twice(self.portfolio, day)
            self.check()
            day += timedelta(self.random.choice((1, 2, 7, 7, 7, 14, 21)))
        assert [
            row
            for row in self.portfolio.worker.dicts("SELECT * FROM maintenance.verify()")
            if row["customer_id"] == self.portfolio.customer_id
        ] == []

    def edit_a_rule(self) -> None:
        payer, _ = self.random.choice(self.groups)
        self.portfolio.edit_rule(
            self.portfolio.default_rule(),
            direction=self.random.choice(("worse", "any")),
            enabled=self.random.random() < 0.8,
            level=self.random.choice((None, None, "warning")),
            payer_id=self.random.choice((None, None, None, self.portfolio.payer(payer))),
        )

    def move(self) -> None:
        """Try something; that it is refused is all right."""
        alerts = self.portfolio.rows("alert")
        if not alerts:
            return
        alert_id = self.random.choice(alerts)["id"]
        move = self.random.choice(("acknowledge", "resolve", "resolve", "reopen", "judge", "new"))
        try:
            if move == "judge":
                self.portfolio.judge(
                    alert_id, self.user_id, self.random.choice(("noise", "real", "noise"))
                )
            elif move == "new":
                self.portfolio.resolve(alert_id, p_new_normal=True)
            else:
                getattr(self.portfolio, move)(alert_id, p_actor_id=self.user_id)
        except psycopg2.Error as refusal:
            if refusal.pgcode != "PD007":
                raise

    def check(self) -> None:
        """What holds at any time."""
        alerts = self.portfolio.rows("alert")
        live = Counter(
            (a["payer_id"], a["cpt_group_id"], a["metric"], a["direction"])
            for a in alerts
            if a["status"] in LIVE
        )
        assert all(number == 1 for number in live.values())
        speakers = {
            (a["payer_id"], a["metric"], a["direction"]): a["id"]
            for a in alerts
            if a["status"] in LIVE and a["cpt_group_id"] is None
        }
        for a in alerts:
            muting = a["muted_until"] is not None or a["muted_by_alert_id"] is not None
            assert a["muted"] == muting
            if a["status"] in LIVE:
                speaker = speakers.get((a["payer_id"], a["metric"], a["direction"]))
                assert a["muted_by_alert_id"] == (speaker if a["cpt_group_id"] else None)
        transitions = self.portfolio.rows("alert_transition")
        for alert in alerts:
            self.replay(alert, [t for t in transitions if t["alert_id"] == alert["id"]])

    def replay(self, alert: dict[str, Any], transitions: list[dict[str, Any]]) -> None:
        assert [t["version"] for t in transitions] == list(range(1, alert["version"] + 1))
        assert [t["kind"] == "opened" for t in transitions] == [
            True,
            *[False] * (len(transitions) - 1),
        ]
        for former, latter in pairwise(transitions):
            assert latter["from_status"] == former["to_status"]
            assert latter["as_of"] >= former["as_of"]
            if latter["kind"] != "reopened":
                assert RANKS[latter["level"]] >= RANKS[former["level"]]
                assert latter["severity"] >= former["severity"]
        last = transitions[-1]
        assert last["to_status"] == alert["status"]
        assert RANKS[last["level"]] <= RANKS[alert["level"]]
        former_id = alert["previous_alert_id"]
        assert former_id is None or former_id < alert["id"]


@pytest.mark.parametrize("seed", range(4))
def test_in_lives_at_random(portfolio: Portfolio, seed: int) -> None:
    Life(portfolio, seed).live()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1150))
def test_in_many_lives_at_random(portfolio: Portfolio, seed: int) -> None:
    Life(portfolio, seed).live()
