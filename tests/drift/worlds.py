"""Random portfolios for the oracle: claims, settings and alerts, all of them from one seed.

Sizes, rates and dates crowd around the edges: rungs of the history ladder, minimum volumes, rates
of 0 and 1, windows' first and last days, alerts that were resolved on the day itself.
"""

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from statistics import median
from typing import Any

from tests.database import Database
from tests.drift.oracle import Alert, Baseline, Episode, Group, Line, Settings
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)
RATES = (0.0, 1.0, 0.5, 0.02, 0.1, 0.1, 0.3)
RUNGS = (42, 70, 98, 140, 238)
VOLUMES = (0, 1, 4, 29, 30, 31, 60, 150, 400)


class World:
    """What one seed gives."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.settings = self._settings()
        own = self.settings.baseline_days + self.settings.guard_days
        rung = self.random.choice((*RUNGS, own, own, 300))
        self.history = rung + self.random.choice((-1, 0, 0, 1))
        self.groups: list[Group] = [
            (payer, group)
            for payer in range(self.random.randint(1, 3))
            for group in range(self.random.randint(1, 3))
        ]
        self.alerts = self._alerts()
        self.lines = [
            # Nothing is older than this one, which nothing else depends on.
            Line(self.groups[0], AS_OF - timedelta(self.history), 3, False),
            *(line for group in self.groups for line in self._lines(group)),
        ]

    def _settings(self) -> Settings:
        choose = self.random.choice
        return Settings(
            method=choose(("significance", "significance", "significance", "threshold")),
            baseline_days=choose((182, 182, 182, 28, 90, 365)),
            guard_days=choose((56, 56, 56, 14, 30)),
            min_volume=choose((30, 30, 1, 5, 60)),
            false_discovery_rate=choose((0.05, 0.05, 0.5, 0.0001)),
            min_rate_delta=choose((0.05, 0.05, 0.0, 0.2)),
            min_rate_relative=choose((0.5, 0.5, 0.0, 3.0)),
            min_days_delta=choose((3.0, 3.0, 0.0, 0.5)),
            min_days_relative=choose((0.5, 0.5, 0.0, 2.0)),
        )

    def _lines(self, group: Group) -> list[Line]:
        edges = {0, 1, 13, 14, 15, self.history, 14 + 1, 28, 29, 56, 57, 69, 70, 97, 98, 139, 140}
        own = (self.settings.guard_days, self.settings.baseline_days)
        edges |= {own[0], own[0] + 1, sum(own), sum(own) + 1}
        ages = [age for age in edges if age <= self.history]
        ages += [self.random.randint(15, max(15, self.history)) for _ in range(self._volume())]
        ages += [self.random.randint(-5, 14) for _ in range(self._volume())]
        rates = [self.random.choice(RATES)] * 2
        speeds = [self.random.choice((1, 1, 5, 20, 40))] * 2
        if self.random.random() < 0.6:
            rates[1] = self.random.choice(RATES)
        if self.random.random() < 0.6:
            speeds[1] = self.random.choice((1, 2, 8, 30))
        shape = self.random.choice((lambda speed: speed, self._spread, self._tied))
        return [
            Line(
                group,
                AS_OF - timedelta(age),
                shape(speeds[age <= 14]),
                self.random.random() < rates[age <= 14],
            )
            for age in ages
            if age <= self.history
        ]

    def _volume(self) -> int:
        return self.random.choice(VOLUMES) + self.random.choice((0, 0, self.random.randint(0, 50)))

    def _spread(self, speed: int) -> int:
        return int(self.random.expovariate(1 / speed))

    def _tied(self, speed: int) -> int:
        return speed + self.random.choice((0, 0, 0, 0, 1, 10))

    def _alerts(self) -> list[Alert]:
        alerts: list[Alert] = []
        for number in range(self.random.choice((0, 0, 0, 1, 2, 4, 8))):
            alert = self._alert(number + 1)
            identity = (alert.group, alert.metric, alert.direction)
            if identity not in {(a.group, a.metric, a.direction) for a in alerts}:
                alerts.append(alert)
        return alerts

    def _alert(self, number: int) -> Alert:
        back = self.random.choice
        start = AS_OF - timedelta(back((0, 1, 2, 10, 40, 70, 120, 200)))
        window_start = start - timedelta(14)
        episodes = [Episode(start)]
        if self.random.random() < 0.6:
            resolved = min(AS_OF + timedelta(1), start + timedelta(back((0, 1, 2, 10, 60, 120))))
            episodes = [Episode(start, resolved)]
            reopened = resolved + timedelta(back((0, 1, 7)))
            if self.random.random() < 0.4 and start < reopened <= AS_OF:
                again = min(AS_OF + timedelta(1), reopened + timedelta(back((0, 1, 20))))
                episodes.append(Episode(reopened, back((None, again))))
        end = start - timedelta(back((15, 57)))
        days = [self._spread(10) for _ in range(back((5, 30, 100, 500)))]
        baseline = Baseline(
            start=end - timedelta(back((27, 181))),
            end=end,
            days=tuple(sorted(days)),
            denied=round(len(days) * back(RATES)),
        )
        return Alert(
            id=number,
            group=back(self.groups),
            metric=back(("DENIAL_RATE", "DECISION_DAYS")),
            direction=back(("up", "down")),
            window_start=window_start,
            episodes=tuple(
                replace(e, new_normal=e.resolved is not None and self.random.random() < 0.3)
                for e in episodes
            ),
            baseline=baseline,
            share_delta=back((0.05, 0.2, -0.1, 0.6)),
        )

    def build(self, portfolio: Portfolio) -> "Built":
        """Write it into the database."""
        return Built(self, portfolio)


class Built:
    """A world in the database, and which ids its payers, groups and alerts have there."""

    def __init__(self, world: World, portfolio: Portfolio) -> None:
        self.world = world
        self.portfolio = portfolio
        self.ids = {
            group: (portfolio.payer(f"payer {group[0]}"), portfolio.group(f"group {group[1]}"))
            for group in world.groups
        }
        portfolio.settings(**vars(world.settings))
        portfolio.decide_lines(
            Counter(
                (*self.ids[line.group], line.decided, line.days, line.denied)
                for line in world.lines
            )
        )
        rule_id = portfolio.default_rule()
        self.alert_ids = {
            alert.id: insert_alert(
                portfolio.owner, portfolio.customer_id, rule_id, self.ids[alert.group], alert
            )
            for alert in world.alerts
        }


def insert_alert(
    owner: Database, customer_id: int, rule_id: int, group: Group, alert: Alert
) -> int:
    """Write an alert as the functions would have, with its baseline frozen."""
    days = Counter(alert.baseline.days)
    middle = median(alert.baseline.days)
    is_rate = alert.metric == "DENIAL_RATE"
    slower = sum(number > middle for number in alert.baseline.days)
    last = alert.episodes[-1]
    former = alert.episodes[-2] if len(alert.episodes) > 1 else None
    columns: dict[str, Any] = {
        "customer_id": customer_id,
        "payer_id": group[0],
        "cpt_group_id": group[1],
        "metric": alert.metric,
        "direction": alert.direction,
        "rule_id": rule_id,
        "rule_definition": "{}",
        "status": "open" if last.resolved is None else "resolved",
        "resolved_by": None if last.resolved is None else "user",
        "resolved_as_of": last.resolved,
        "former_resolved_as_of": former and former.resolved,
        "new_normal": last.new_normal,
        "former_new_normal": former is not None and former.new_normal,
        "level": "info",
        "peak_severity": 0.1,
        "opened_as_of": alert.episodes[0].start,
        "episode_as_of": last.start,
        "last_seen_as_of": last.start,
        "window_start": alert.window_start,
        "baseline_start": alert.baseline.start,
        "baseline_end": alert.baseline.end,
        "baseline_n": len(alert.baseline.days),
        "baseline_x": alert.baseline.denied if is_rate else slower,
        "baseline_value": alert.baseline.denied / len(alert.baseline.days) if is_rate else middle,
        "baseline_days": None if is_rate else list(days),
        "baseline_counts": None if is_rate else list(days.values()),
        "opening_delta": alert.share_delta,
        "opening_share_delta": alert.share_delta,
    }
    alert_id: int = owner.value(
        f"INSERT INTO alert ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
        " RETURNING id",
        *columns.values(),
    )
    return alert_id
