"""Random portfolios for the oracle: claims, settings and alerts, all of them from one seed.

Sizes, rates and dates crowd around the edges: rungs of the history ladder, minimum volumes, rates
of 0 and 1, windows' first and last days, alerts that were resolved on the day itself.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median
from typing import Any

from tests.database import Database
from tests.drift.oracle import (
    PAYER_NU,
    Alert,
    Baseline,
    Episode,
    Group,
    Identity,
    Line,
    Run,
    Settings,
    Stratum,
)
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)
RATES = (0.0, 1.0, 0.5, 0.02, 0.1, 0.1, 0.3)
RUNGS = (42, 70, 98, 140, 238)
VOLUMES = (0, 1, 4, 29, 30, 31, 60, 150, 400)


class World:
    """What one seed gives: few groups of all sizes, or (wide) many that tell of each other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        choose = self.random.choice
        self.is_wide = self.random.random() < 0.35
        self.settings = self._settings()
        own = self.settings.baseline_days + self.settings.guard_days
        rung = choose((own, own, own, 98, 140) if self.is_wide else (*RUNGS, own, own, 300))
        self.history = rung + choose((-1, 0, 0, 1))
        number = self.random.randint(1, 9)
        payers = min(number, self.random.randint(1, 3))
        if self.is_wide:
            number, payers = choose((12, 20, 30, 49, 50, 60)), self.random.randint(2, 6)
        self.groups: list[Group] = [(i % payers, i // payers) for i in range(number)]
        # Payers that fell silent, and payers all of whose groups moved.
        self.silent = {payer: choose((0,) * 9 + (13, 14, 15, 25, 60)) for payer in range(payers)}
        self.moved = {payer: choose((0.0, 0.0, 0.1, 0.25, -0.2)) for payer in range(payers)}
        self.alerts = self._alerts()
        # Applied and measured-only runs before, and whether they were looks.
        self.runs = [
            (AS_OF - timedelta(age), is_applied and choose((True, True, False)), is_applied)
            for age in choose(((), (7,), (6,), (1,), (3, 10), (5, 6), (1, 2, 9), (0, 3), (0, 7)))
            for is_applied in (choose((True, True, True, False)),)
        ]
        self.looks = [as_of for as_of, is_look, _ in self.runs if is_look]
        self.lines = [
            # Nothing is older than this one, which nothing else depends on.
            Line(self.groups[0], AS_OF - timedelta(self.history), 3, False),
            *(
                line
                for group in self.groups
                for line in (self._wide_lines if self.is_wide else self._lines)(group)
                if not 0 < (AS_OF - line.decided).days <= self.silent[group[0]]
            ),
        ]

    def _settings(self) -> Settings:
        choose = self.random.choice
        method = choose(("significance",) * (12 if self.is_wide else 5) + ("threshold",))
        volumes = (1, 5, 10, 30) if self.is_wide else (30, 30, 1, 5, 60)
        return Settings(
            method=method,
            baseline_days=choose((182, 182, 182, 28, 90, 365)),
            guard_days=choose((56, 56, 56, 14, 30, 90)),
            min_volume=choose(volumes),
            false_discovery_rate=choose((0.05, 0.05, 0.5, 0.5, 0.0001)),
            min_rate_delta=choose((0.05, 0.05, 0.0, 0.2)),
            min_rate_relative=choose((0.5, 0.5, 0.0, 3.0)),
            min_days_delta=choose((3.0, 3.0, 0.0, 0.5)),
            min_days_relative=choose((0.5, 0.5, 0.0, 2.0)),
        )

    def _lines(self, group: Group) -> list[Line]:
        """A group of any size, with lines on every window's first and last days."""
        own = (self.settings.guard_days, self.settings.baseline_days)
        edges = {0, 1, 13, 14, 15, 28, 29, 56, 57, 69, 70, 97, 98, 139, 140, self.history}
        edges |= {own[0], own[0] + 1, sum(own), sum(own) + 1}
        ages = [age for age in edges if age <= self.history]
        ages += [self.random.randint(15, max(15, self.history)) for _ in range(self._volume())]
        ages += [self.random.randint(-5, 14) for _ in range(self._volume())]
        if self.random.random() < 0.3:
            ages += [self.random.randint(15, 28) for _ in range(self._volume())]
        rates = [self.random.choice(RATES)] * 2
        speeds = [self.random.choice((1, 1, 5, 20, 40))] * 2
        if self.random.random() < 0.6:
            rates[1] = self.random.choice(RATES)
        if self.random.random() < 0.6:
            speeds[1] = self.random.choice((1, 2, 8, 30))
        shape = self.random.choice((lambda speed: speed, self._spread, self._tied))
        changed = self.random.choice((14, 14, 28, 56))
        empty = {cell for cell in range(1, 30) if self.random.random() < 0.05}
        wobble = self._wobble()
        return [
            Line(
                group,
                AS_OF - timedelta(age),
                shape(speeds[age <= changed]),
                self.random.random() < self._share(rates[age <= changed], wobble, age),
            )
            for age in ages
            if age <= self.history and (age - 1) // 14 not in empty
        ]

    def _wide_lines(self, group: Group) -> list[Line]:
        """One of many groups of a size, some of which wobble more than others."""
        is_short = self.history <= 120
        if "wide" not in vars(self):
            self.wide = (
                self.random.choice((6, 36, 36) if is_short else (3, 6, 10)),
                self.random.choice((0.1, 0.3, 0.3, 0.5)),
            )
        volume, rate = self.wide
        wobble, unrest = self._wobble(), self.random.choice((0, 0, 6, 12))
        lines = []
        for cell in range(-1, self.history // 14 + 1):
            share, speed = rate, 8 + self.random.randint(0, unrest)
            if cell == 0:
                share += self.moved[group[0]]
            number = volume + self.random.randint(-volume // 3, volume // 3)
            if cell == 0 or self.random.random() < 0.95:
                ages = [14 * cell + self.random.randint(1, 14) for _ in range(number)]
                lines += [
                    Line(
                        group,
                        AS_OF - timedelta(age),
                        self._spread(speed),
                        self.random.random() < self._share(share, wobble, age),
                    )
                    for age in ages
                    if age <= self.history
                ]
        return lines

    def _wobble(self) -> tuple[int, dict[int, float]]:
        """How many days in a row share a rate, and how far each such stretch is from the mean."""
        width = self.random.choice((0.0, 0.0, 0.05, 0.1, 0.2))
        length = self.random.choice((14, 14, 56))
        return length, {n: self.random.uniform(-width, width) * 2 for n in range(-1, 60)}

    @staticmethod
    def _share(rate: float, wobble: tuple[int, dict[int, float]], age: int) -> float:
        if rate in (0, 1):
            return rate
        length, distances = wobble
        return min(max(rate + distances[(age - 1) // length], 0), 1)

    def _volume(self) -> int:
        return self.random.choice(VOLUMES) + self.random.choice((0, 0, self.random.randint(0, 50)))

    def _spread(self, speed: int) -> int:
        return int(self.random.expovariate(1 / speed))

    def _tied(self, speed: int) -> int:
        return speed + self.random.choice((0, 0, 0, 0, 1, 10))

    def _alerts(self) -> list[Alert]:
        alerts: list[Alert] = []
        for number in range(self.random.choice((0, 0, 1, 2, 4, 8, 12))):
            alert = self._alert(number + 1)
            identity = (alert.group, alert.metric, alert.direction)
            if identity not in {(a.group, a.metric, a.direction) for a in alerts}:
                alerts.append(alert)
        return alerts

    def _alert(self, number: int) -> Alert:
        back = self.random.choice
        start = AS_OF - timedelta(back((0, 1, 2, 10, 40, 70, 120, 200)))
        end = start - timedelta(back((15, 57)))
        payer, cpt_group = back(self.groups)
        metric = back(("DENIAL_RATE", "DENIAL_RATE", "DECISION_DAYS", "SILENCE"))
        group: Identity = (payer, cpt_group)
        strata: tuple[Stratum, ...] = ()
        days = [self._spread(10) for _ in range(back((5, 30, 100, 500)))]
        if metric == "SILENCE":
            group = (back([payer, *(p for p, days in self.silent.items() if days)]), None)
        elif metric == "DENIAL_RATE" and self.random.random() < 0.4:
            group = (payer, None)
            # All groups at one rate, from which the payer may have moved, or each at its own.
            rates = back(((0.02,), (0.02,), RATES))
            strata = tuple(
                Stratum(g, n, round(n * back(rates)), back((1.0, 1.5, 4.0)))
                for p, g in self.groups
                if p == payer
                for n in (back((1, 5, 30, 100)),)
            )
        return Alert(
            id=number,
            group=group,
            metric=metric,
            direction="up" if metric == "SILENCE" else back(("up", "down")),
            window_start=start - timedelta(back((14, 14, 28, 56))),
            episodes=self._episodes(start),
            baseline=Baseline(
                start=end - timedelta(back((27, 181))),
                end=end,
                days=tuple(sorted(days)),
                denied=round(len(days) * back(RATES)),
                dispersion=back((1.0, 1.0, 1.7, 6.0)),
                nu=back((4.0, 12.5, PAYER_NU)),
                strata=strata,
                silence=back((0, 3, 14, 30)),
            ),
            share_delta=back((0.05, 0.2, -0.1, 0.6)),
        )

    def _episodes(self, start: date) -> tuple[Episode, ...]:
        back = self.random.choice
        episodes: list[tuple[date, date | None]] = [(start, None)]
        if self.random.random() < 0.6:
            resolved = min(AS_OF + timedelta(1), start + timedelta(back((0, 1, 2, 10, 60, 120))))
            episodes = [(start, resolved)]
            reopened = resolved + timedelta(back((0, 1, 7)))
            if self.random.random() < 0.4 and start < reopened <= AS_OF:
                again = min(AS_OF + timedelta(1), reopened + timedelta(back((0, 1, 20))))
                episodes.append((reopened, back((None, again))))
        return tuple(self._episode(first, last) for first, last in episodes)

    def _episode(self, start: date, resolved: date | None) -> Episode:
        if resolved is None:
            return Episode(start)
        if self.random.random() < 0.5:
            return Episode(start, resolved, recovered=resolved)
        is_normal = self.random.random() < 0.5
        recovered = self.random.choice((None, AS_OF - timedelta(1), AS_OF, resolved + timedelta(5)))
        if recovered is not None and recovered < resolved:
            recovered = None
        return Episode(start, resolved, is_normal, recovered)

    def run(self) -> Run:
        """The oracle's run over it."""
        return Run(self.lines, self.settings, self.alerts, AS_OF, self.looks)

    def build(self, portfolio: Portfolio) -> "Built":
        """Write it into the database."""
        return Built(self, portfolio)


class Built:
    """A world in the database, and which ids its payers, groups and alerts have there."""

    def __init__(self, world: World, portfolio: Portfolio) -> None:
        self.world = world
        self.portfolio = portfolio
        groups = {
            group: (portfolio.payer(f"payer {group[0]}"), portfolio.group(f"group {group[1]}"))
            for group in world.groups
        }
        self.cpt_groups = {group: ids[1] for (_, group), ids in groups.items()}
        self.ids: dict[Identity, Identity] = {}
        for group, ids in groups.items():
            self.ids |= {group: ids, (group[0], None): (ids[0], None)}
        portfolio.settings(**vars(world.settings))
        portfolio.decide_lines(
            Counter(
                (*groups[line.group], line.decided, line.days, line.denied) for line in world.lines
            )
        )
        for as_of, is_look, is_applied in world.runs:
            portfolio.owner.execute(
                "INSERT INTO drift_run (customer_id, as_of, status, is_look, applied)"
                " VALUES (%s, %s, 'completed', %s, %s)",
                portfolio.customer_id,
                as_of,
                is_look,
                is_applied,
            )
        rule_id = portfolio.default_rule()
        self.alert_ids = {
            alert.id: insert_alert(
                portfolio.owner,
                portfolio.customer_id,
                rule_id,
                self.ids[alert.group],
                alert,
                self.cpt_groups,
            )
            for alert in world.alerts
        }


def insert_alert(
    owner: Database,
    customer_id: int,
    rule_id: int,
    group: Identity,
    alert: Alert,
    cpt_groups: Mapping[int, int] | None = None,
) -> int:
    """Write an alert as the functions would have, with its baseline frozen.

    `cpt_groups` are the ids of the groups in its strata.
    """
    frozen = alert.baseline
    days = Counter(frozen.days)
    n, x = len(frozen.days), frozen.denied
    value: float = x / n
    strata = [
        {
            "cpt_group_id": (cpt_groups or {}).get(s.group, s.group),
            "n": s.n,
            "x": s.x,
            "dispersion": s.dispersion,
        }
        for s in frozen.strata
    ]
    if strata:
        n, x = sum(s.n for s in frozen.strata), sum(s.x for s in frozen.strata)
        value = x / n
    elif alert.metric == "DECISION_DAYS":
        value = median(frozen.days)
        x = sum(number > value for number in frozen.days)
    elif alert.metric == "SILENCE":
        x, value = 0, frozen.silence
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
        "resolved_by": None
        if last.resolved is None
        else "cleared"
        if last.recovered == last.resolved
        else "user",
        "resolved_as_of": last.resolved,
        "recovered_as_of": last.recovered,
        "former_recovered_as_of": former and former.recovered,
        "former_resolved_as_of": former and former.resolved,
        "new_normal": last.new_normal,
        "former_new_normal": former is not None and former.new_normal,
        "level": "info",
        "peak_severity": 0.1,
        "opened_as_of": alert.episodes[0].start,
        "episode_as_of": last.start,
        "last_seen_as_of": last.start,
        "window_start": alert.window_start,
        "baseline_start": frozen.start,
        "baseline_end": frozen.end,
        "baseline_n": n,
        "baseline_x": x,
        "baseline_value": value,
        "baseline_dispersion": frozen.dispersion,
        "baseline_nu": frozen.nu,
        "baseline_strata": json.dumps(strata) if strata else None,
        "baseline_days": list(days) if alert.metric == "DECISION_DAYS" else None,
        "baseline_counts": list(days.values()) if alert.metric == "DECISION_DAYS" else None,
        "opening_delta": alert.share_delta,
        "opening_share_delta": alert.share_delta,
    }
    alert_id: int = owner.value(
        f"INSERT INTO alert ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
        " RETURNING id",
        *columns.values(),
    )
    return alert_id
