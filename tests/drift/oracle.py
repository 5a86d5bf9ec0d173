"""What detection must find, in plain Python, written from its description and not from the SQL.

Slow and obvious on purpose: samples are lists of single lines, and scipy does the testing.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median

import numpy as np
from scipy.special import erfc
from scipy.stats import false_discovery_control, fisher_exact, rankdata

Group = tuple[int, int]
Key = tuple[int, int, str]
METRICS = ("DECISION_DAYS", "DENIAL_RATE")
TOLERANCE = 1e-12
SMALLEST_P = 1e-300


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


@dataclass(frozen=True)
class Baseline:
    """What was normal when an alert opened: days of all lines, and how many were denied."""

    start: date
    end: date
    days: tuple[int, ...]
    denied: int


@dataclass(frozen=True)
class Episode:
    """From an alert's opening, or reopening, to its end, which may declare a new normal."""

    start: date
    resolved: date | None = None
    new_normal: bool = False


@dataclass(frozen=True)
class Alert:
    """An alert with the stretches of time during which it was live, the last of them last."""

    id: int
    group: Group
    metric: str
    direction: str
    window_start: date
    episodes: tuple[Episode, ...]
    baseline: Baseline
    share_delta: float = 0.1

    def episode_before(self, as_of: date) -> Episode | None:
        """The last episode that had begun when the day began."""
        return next((e for e in reversed(self.episodes) if e.start < as_of), None)

    def was_live(self, as_of: date) -> bool:
        """Whether it was live as the day began."""
        episode = self.episode_before(as_of)
        return episode is not None and (episode.resolved is None or episode.resolved >= as_of)

    def leaves_out(self, day: date, as_of: date) -> bool:
        """Whether a day is no part of a baseline once the alert is over."""
        episode = self.episode_before(as_of)
        if episode is None or episode.resolved is None or self.was_live(as_of):
            return False
        if episode.new_normal:
            return day < self.episodes[0].start
        return self.window_start <= day < episode.resolved


@dataclass
class Measurement:
    """One group and metric; None where nothing was computed."""

    sufficient: bool
    baseline_n: int
    current_n: int
    baseline_x: int | None = None
    current_x: int | None = None
    baseline_value: float | None = None
    current_value: float | None = None
    delta: float | None = None
    relative_delta: float | None = None
    direction: str | None = None
    z: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    drifted: bool = False
    severity: float | None = None
    confidence: float | None = None
    frozen_alert_id: int | None = None
    has_effect: bool = field(default=False, repr=False)


def baseline_dates(settings: Settings, history: int, as_of: date) -> tuple[date, date] | None:
    """First and last day: the customer's own windows, or what a shorter history allows."""
    ladder = [(settings.baseline_days, settings.guard_days), (112, 28), (84, 14), (56, 14)]
    for days, guard in ladder:
        if history >= days + guard:
            return as_of - timedelta(guard + days), as_of - timedelta(guard + 1)
    return None


def normal_p(z: float) -> float:
    return max(float(erfc(abs(z) / math.sqrt(2))), SMALLEST_P)


def rate_z(x1: int, n1: int, x0: int, n0: int) -> float:
    pooled = (x1 + x0) / (n1 + n0)
    if pooled in (0, 1):
        return 0
    return (x1 / n1 - x0 / n0) / math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))


def rate_p(x1: int, n1: int, x0: int, n0: int) -> float:
    """Fisher joins in, and the larger p counts, where a small count is expected."""
    p = normal_p(rate_z(x1, n1, x0, n0))
    pooled = (x1 + x0) / (n1 + n0)
    if min(n1, n0) * min(pooled, 1 - pooled) < 10:
        p = max(p, float(fisher_exact([[x1, n1 - x1], [x0, n0 - x0]]).pvalue))
    return min(p, 1.0)


def rank_z(current: list[int], baseline: list[int]) -> float:
    """Mann-Whitney's z, corrected for ties and continuity."""
    n1, n0 = len(current), len(baseline)
    n = n1 + n0
    ranks = rankdata([*current, *baseline])
    distance = float(ranks[:n1].sum()) - n1 * (n1 + 1) / 2 - n1 * n0 / 2
    ties = np.unique([*current, *baseline], return_counts=True)[1].astype(float)
    variance = n1 * n0 / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
    if len(ties) == 1 or abs(distance) < 0.5:
        return 0
    return math.copysign(abs(distance) - 0.5, distance) / math.sqrt(variance)


def wilson(x: int, n: int) -> tuple[float, float]:
    z = 1.959963984540054
    middle = (x + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(x * (n - x) / n + z * z / 4)
    return middle - half, middle + half


def newcombe(x1: int, n1: int, x0: int, n0: int) -> tuple[float, float]:
    p1, p0 = x1 / n1, x0 / n0
    (l1, u1), (l0, u0) = wilson(x1, n1), wilson(x0, n0)
    return p1 - p0 - math.hypot(p1 - l1, u0 - p0), p1 - p0 + math.hypot(u1 - p1, p0 - l0)


def severity_of(settings: Settings, metric: str, delta: float, relative: float | None) -> float:
    size = abs(delta)
    if metric == "DECISION_DAYS":
        return min(1, size / 10)
    if settings.method == "threshold":
        return min(1, 2 * size)
    infinite_or = math.inf if relative is None else abs(relative)
    return min(1, max(2 * size, min(infinite_or / 2.5, 6 * size)))


def measure(
    lines: Iterable[Line], settings: Settings, alerts: list[Alert], as_of: date
) -> dict[Key, Measurement]:
    """Every group with a line in either window, or with a live alert."""
    lines = list(lines)
    history = max(((as_of - line.decided).days for line in lines), default=0)
    dates = baseline_dates(settings, history, as_of)
    current_start = as_of - timedelta(14)
    current = [line for line in lines if current_start <= line.decided < as_of]
    past = [line for line in lines if dates and dates[0] <= line.decided <= dates[1]]
    live = [a for a in sorted(alerts, key=lambda a: a.id) if a.was_live(as_of)]
    found = {
        (*group, metric): _measure_group(
            settings,
            metric,
            [line for line in current if line.group == group],
            [
                line
                for line in past
                if line.group == group
                and not any(
                    a.leaves_out(line.decided, as_of)
                    for a in alerts
                    if (a.group, a.metric) == (group, metric)
                )
            ],
            next((a for a in live if (a.group, a.metric) == (group, metric)), None),
        )
        for group in {line.group for line in [*current, *past]} | {a.group for a in live}
        for metric in METRICS
    }
    if settings.method == "significance":
        _correct(found)
    for (_, _, metric), m in found.items():
        if m.sufficient:
            assert m.delta is not None
            m.severity = severity_of(settings, metric, m.delta, m.relative_delta)
            if settings.method == "threshold":
                m.drifted = m.has_effect
                m.confidence = min(1, (m.baseline_n + m.current_n) / (4 * settings.min_volume))
            else:
                assert m.q_value is not None
                m.drifted = m.has_effect and m.q_value <= settings.false_discovery_rate
                m.confidence = 1 - m.q_value
    return found


def _measure_group(
    settings: Settings, metric: str, current: list[Line], past: list[Line], alert: Alert | None
) -> Measurement:
    now = [line.days for line in current]
    then = list(alert.baseline.days) if alert else [line.days for line in past]
    enough = min(len(now), len(then)) >= settings.min_volume
    m = Measurement(enough, len(then), len(now), frozen_alert_id=alert.id if alert else None)
    if not enough:
        return m
    if metric == "DENIAL_RATE":
        m.baseline_x = alert.baseline.denied if alert else sum(line.denied for line in past)
        m.current_x = sum(line.denied for line in current)
        m.baseline_value, m.current_value = m.baseline_x / len(then), m.current_x / len(now)
        least_delta, least_relative = settings.min_rate_delta, settings.min_rate_relative
    else:
        m.baseline_value, m.current_value = float(median(then)), float(median(now))
        m.baseline_x = sum(days > m.baseline_value for days in then)
        m.current_x = sum(days > m.baseline_value for days in now)
        least_delta, least_relative = settings.min_days_delta, settings.min_days_relative
    m.delta = m.current_value - m.baseline_value
    m.relative_delta = m.delta / m.baseline_value if m.baseline_value else None
    m.direction = {1: "up", -1: "down"}.get(int(math.copysign(1, m.delta))) if m.delta else None
    m.has_effect = m.delta != 0 and (
        abs(m.delta) >= least_delta - TOLERANCE
        or (m.relative_delta is not None and abs(m.relative_delta) >= least_relative - TOLERANCE)
    )
    if settings.method == "significance":
        counts = (m.current_x, len(now), m.baseline_x, len(then))
        if metric == "DENIAL_RATE":
            m.z, p = rate_z(*counts), rate_p(*counts)
            m.ci_low, m.ci_high = newcombe(*counts)
        else:
            m.z = rank_z(now, then)
            p = normal_p(m.z)
        m.p_value = p if m.has_effect else 1.0
    return m


def _correct(found: dict[Key, Measurement]) -> None:
    """Benjamini-Hochberg over the groups that may raise an alert; live alerts stand outside."""
    family = [m for m in found.values() if m.sufficient and m.frozen_alert_id is None]
    if family:
        for m, q in zip(family, false_discovery_control([m.p_value for m in family]), strict=True):
            m.q_value = float(q)
    for m in found.values():
        if m.frozen_alert_id is not None:
            m.q_value = m.p_value


def clearing_evidence(lines: Iterable[Line], alert: Alert, as_of: date) -> float:
    """How much likelier a return to normal is than a stay half-way to the alerted level (ln)."""

    def clamp(share: float) -> float:
        return min(max(share, 0.002), 0.998)

    days = alert.baseline.days
    middle = median(days)

    def slower(number: int) -> bool:
        return number > middle

    is_rate = alert.metric == "DENIAL_RATE"
    frozen_x = alert.baseline.denied if is_rate else sum(map(slower, days))
    share = frozen_x / len(days)
    p0, pa = clamp(share), clamp(share + alert.share_delta / 2)
    start = alert.episodes[-1].start
    weeks: Counter[tuple[int, bool]] = Counter()
    for line in lines:
        week = (line.decided - start).days // 7
        if line.group == alert.group and 0 <= week < (as_of - start).days // 7:
            weeks[week, line.denied if is_rate else slower(line.days)] += 1
    evidence = lowest = 0.0
    for week in range((as_of - start).days // 7):
        x, rest = weeks[week, True], weeks[week, False]
        evidence += x * math.log(p0 / pa) + rest * math.log((1 - p0) / (1 - pa))
        lowest = min(lowest, evidence)
    return evidence - lowest
