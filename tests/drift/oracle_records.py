"""What the oracle is told - lines, settings, alerts - and what it answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any

Group = tuple[int, int]
# A group of None: the payer as a whole.
Identity = tuple[int, int | None]
Key = tuple[int, int | None, str]
TOLERANCE = 1e-12
PAYER_NU = 60.0


@dataclass(frozen=True)
class Line:
    """A claim line as it was first decided, by (payer, CPT group)."""

    group: Group
    decided: date
    days: int
    denied: bool


@dataclass(frozen=True)
class Settings:
    """A customer's drift settings, with the defaults of the description."""

    method: str = "significance"
    baseline_days: int = 182
    guard_days: int = 56
    min_volume: int = 30
    false_discovery_rate: float = 0.05
    min_rate_delta: float = 0.05
    min_rate_relative: float = 0.5
    min_days_delta: float = 3
    min_days_relative: float = 0.5
    clear_odds: float = 20

    def has_effect(self, metric: str, delta: float, relative: float | None) -> bool:
        """Whether a change is large enough to matter."""
        absolute, share = self.min_rate_delta, self.min_rate_relative
        if metric == "DECISION_DAYS":
            absolute, share = self.min_days_delta, self.min_days_relative
        return delta != 0 and (
            abs(delta) >= absolute - TOLERANCE
            or (relative is not None and abs(relative) >= share - TOLERANCE)
        )

    def severity(self, metric: str, delta: float, relative: float | None) -> float:
        """How grave a change is."""
        size = abs(delta)
        if metric == "DECISION_DAYS":
            return min(1, size / 10)
        if self.method == "threshold":
            return min(1, 2 * size)
        infinite_or = math.inf if relative is None else abs(relative)
        return min(1, max(2 * size, min(infinite_or / 2.5, 6 * size)))


@dataclass(frozen=True)
class Stratum:
    """What was normal for one group of a payer when an alert opened on the whole payer."""

    group: int
    n: int
    x: int
    dispersion: float


@dataclass(frozen=True)
class Baseline:
    """What was normal when an alert opened: days of all lines, and how many were denied."""

    start: date
    end: date
    days: tuple[int, ...]
    denied: int
    dispersion: float = 1.0
    nu: float = PAYER_NU
    strata: tuple[Stratum, ...] = ()
    silence: int = 0


@dataclass(frozen=True)
class Episode:
    """From an alert's opening, or reopening, to its end, which may declare a new normal.

    `recovered`: when its drift was seen to be gone, which is at its end if the system cleared it.
    """

    start: date
    resolved: date | None = None
    new_normal: bool = False
    recovered: date | None = None


@dataclass(frozen=True)
class Alert:
    """An alert with the stretches of time during which it was live, the last of them last."""

    id: int
    group: Identity
    metric: str
    direction: str
    window_start: date
    episodes: tuple[Episode, ...]
    baseline: Baseline
    share_delta: float = 0.1

    def concerns(self, group: Group, metric: str) -> bool:
        """Whether it is on the group, or on the group's payer as a whole."""
        return self.metric == metric and self.group in (group, (group[0], None))

    def episode_before(self, as_of: date) -> Episode | None:
        """The last episode that had begun when the day began."""
        return next((e for e in reversed(self.episodes) if e.start < as_of), None)

    def was_live(self, as_of: date) -> bool:
        """Whether it was live as the day began."""
        episode = self.episode_before(as_of)
        return episode is not None and (episode.resolved is None or episode.resolved >= as_of)

    def leaves_out(self, day: date, as_of: date) -> bool:
        """Whether a day is no part of a baseline."""
        episode = self.episode_before(as_of)
        if self.was_live(as_of):
            # The group of a live alert has its frozen baseline; those of a payer have their own.
            return self.group[1] is None and day >= self.window_start
        if episode is None or episode.resolved is None:
            return False
        if episode.new_normal:
            return day < self.episodes[0].start
        return self.window_start <= day < episode.resolved

    def first_current(self, as_of: date) -> date:
        """The first day that may be current: what was long before it was gone is no news."""
        episode = self.episode_before(as_of)
        if episode is None or self.was_live(as_of):
            return date.min
        is_gone = episode.recovered is not None and episode.recovered < as_of
        return episode.recovered - timedelta(14) if is_gone and episode.recovered else date.min


@dataclass
class Measurement:
    """One group, or payer, and metric; None where nothing was computed."""

    current_start: date
    current_end: date
    baseline_start: date | None
    baseline_end: date | None
    window_days: int = 14
    baseline_n: int = 0
    current_n: int = 0
    baseline_x: int | None = None
    current_x: int | None = None
    baseline_value: float | None = None
    current_value: float | None = None
    sufficient: bool = False
    drifted: bool = False
    may_open: bool = False
    is_look: bool = True
    delta: float | None = None
    relative_delta: float | None = None
    direction: str | None = None
    dispersion: float | None = None
    z: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    severity: float | None = None
    confidence: float | None = None
    frozen_alert_id: int | None = None
    phi_own: float | None = None
    phi_prior: float | None = None
    d0: float | None = None
    nu: float | None = None
    windows: list[dict[str, Any]] | None = None
    strata: list[dict[str, Any]] | None = None
    baseline_days: list[int] | None = None
    baseline_counts: list[int] | None = None
    # No columns, but what decides on them.
    has_effect: bool = False
    is_tied: bool = False


@dataclass(frozen=True)
class Sample:
    """Lines of a group: the days they took, and how many were denied."""

    days: tuple[int, ...]
    denied: int

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Sample":
        """The sample that some lines are."""
        return cls(tuple(line.days for line in lines), sum(line.denied for line in lines))

    @property
    def n(self) -> int:
        """Lines."""
        return len(self.days)

    def value(self, metric: str) -> float | None:
        """The share of denials, or the median of days."""
        if not self.days:
            return None
        return self.denied / self.n if metric == "DENIAL_RATE" else float(median(self.days))

    def x(self, metric: str, normal: "Sample") -> int | None:
        """Denials, or lines slower than the normal median."""
        if metric == "DENIAL_RATE":
            return self.denied
        middle = normal.value(metric)
        return None if middle is None else sum(days > middle for days in self.days)
