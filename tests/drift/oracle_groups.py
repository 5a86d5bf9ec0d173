"""The oracle's account of groups: steps 1 to 9 and 11 of the description."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.drift.oracle_records import Alert, Group, Identity, Line, Measurement, Sample, Settings
from tests.drift.oracle_statistics import (
    SMALLEST_P,
    benjamini_hochberg,
    duration_dispersion,
    effective_fisher,
    needs_fisher,
    newcombe,
    ntile,
    prior_degrees,
    rank_z,
    rate_dispersion,
    rate_z,
    t_tail,
    typical_dispersion,
)

# By the guard band in use: window lengths in days, and their weights.
LADDER = ((56, ((14, 0.6), (28, 0.2), (56, 0.2))), (28, ((14, 0.7), (28, 0.3))))
ONE_WINDOW = ((14, 1.0),)
# Lengths of the cells that show how noisy a window of as many days is.
CELLS = (14, 28, 56)


@dataclass(frozen=True)
class Own:
    """What the cells of a group's baseline say of its ups and downs."""

    phi: float | None
    d: int
    # Enough denials a cell (for durations: lines) to tell how alike groups are.
    is_telling: bool


@dataclass(frozen=True)
class Normal:
    """What a group is compared with, and where that isn't frozen what its cells say, by length."""

    start: date | None
    end: date | None
    sample: Sample
    alert: Alert | None = None
    own: dict[int, Own] = field(default_factory=dict)


@dataclass(frozen=True)
class Noise:
    """How noisy a group is: phi of 14 days, how much more in longer windows, and whence."""

    phi: float
    nu: float
    factors: dict[int, float]
    own: float | None = None
    prior: float | None = None
    d0: float | None = None

    @classmethod
    def of(cls, own: Own, phi0: dict[int, float], m: int, d0: float) -> "Noise":
        """Steps 4 and 5: its own, drawn towards the phi0 of the m groups in its bin."""
        phi, nu = phi0[14], max(4.0, own.d + d0)
        if own.phi is not None:
            phi = max(phi if m > 1 else 1.0, (own.d * own.phi + d0 * phi) / (own.d + d0))
        factors = {length: max(1.0, phi0[length] / phi0[14]) for length in CELLS}
        return cls(max(1.0, phi), nu, factors, own.phi, phi0[14], d0)


class GroupRun:
    """One run over a customer's lines, as far as groups go."""

    def __init__(
        self,
        lines: Iterable[Line],
        settings: Settings,
        alerts: Iterable[Alert],
        as_of: date,
        looks: Sequence[date],
    ) -> None:
        self.settings = settings
        self.as_of = as_of
        self.alerts = sorted(alerts, key=lambda alert: alert.id)
        self.is_significance = settings.method == "significance"
        # Step 9.
        self.is_look = not looks or as_of in looks or as_of >= max(looks) + timedelta(7)
        self.lines: dict[Group, list[Line]] = defaultdict(list)
        for line in lines:
            self.lines[line.group].append(line)
        # Step 1: the customer's own windows, or what a shorter history allows.
        first = min((line.decided for g in self.lines.values() for line in g), default=as_of)
        rungs = ((settings.baseline_days, settings.guard_days), (112, 28), (84, 14), (56, 14))
        length, guard = next((r for r in rungs if (as_of - first).days >= sum(r)), (0, 0))
        # All days of the baseline, newest first; none where the history is too short.
        self.baseline = [as_of - timedelta(guard + 1 + i) for i in range(length)]
        self.windows = next((w for least, w in LADDER if guard >= least), ONE_WINDOW)
        if not self.is_significance:
            self.windows = ONE_WINDOW

    def groups(self, metric: str) -> list[Group]:
        """Those with a line in the baseline or lately, or with a live alert."""
        past, lately = set(self.baseline), 56 if metric == "DENIAL_RATE" else 14
        seen = {
            group
            for group, lines in self.lines.items()
            if any(line.decided in past or self.is_current(line, lately) for line in lines)
        }
        live = {a.group for a in self.alerts if a.metric == metric and a.was_live(self.as_of)}
        return sorted(seen | {(payer, group) for payer, group in live if group is not None})

    def is_current(self, line: Line, days: int) -> bool:
        """Whether a line was decided in the last so many days."""
        return 0 < (self.as_of - line.decided).days <= days

    def live_alert(self, identity: Identity, metric: str) -> Alert | None:
        """The oldest of the alerts that were live as the day began."""
        same = (a for a in self.alerts if (a.group, a.metric) == (identity, metric))
        return next((alert for alert in same if alert.was_live(self.as_of)), None)

    # Steps 1 to 5

    def normal(self, group: Group, metric: str) -> Normal:
        """Frozen where the group has a live alert, else its baseline less what is left out."""
        alert = self.live_alert(group, metric)
        if alert is not None:
            frozen = alert.baseline
            return Normal(frozen.start, frozen.end, Sample(frozen.days, frozen.denied), alert)
        kept = self.kept(group, metric)
        lines = [line for line in self.lines[group] if line.decided in kept]
        own = {length: self.own(metric, lines, kept, length) for length in CELLS}
        start, end = min(self.baseline, default=None), max(self.baseline, default=None)
        return Normal(start, end, Sample.of(lines), own=own)

    def kept(self, group: Group, metric: str) -> set[date]:
        """The days of its baseline that are not left out."""
        concerning = [a for a in self.alerts if a.concerns(group, metric)]
        return {
            day
            for day in self.baseline
            if not any(a.leaves_out(day, self.as_of) for a in concerning)
        }

    def own(self, metric: str, lines: list[Line], kept: set[date], length: int) -> Own:
        """Step 2: from whole cells, counted from the newest, that nothing was left out of."""
        starts = range(0, len(self.baseline) - length + 1, length)
        spans = [set(self.baseline[start : start + length]) for start in starts]
        cells = [
            Sample.of([line for line in lines if line.decided in span])
            for span in spans
            if span <= kept
        ]
        cells = [cell for cell in cells if cell.n]
        if metric == "DENIAL_RATE":
            phi = rate_dispersion([(cell.denied, cell.n) for cell in cells])
            is_telling = sum(cell.denied for cell in cells) >= 2 * len(cells)
        else:
            phi = duration_dispersion([cell.days for cell in cells])
            is_telling = sum(cell.n for cell in cells) >= 30 * len(cells)
        return Own(phi, max(len(cells) - 1, 0), is_telling)

    def noises(self, metric: str, normals: dict[Group, Normal]) -> dict[Group, Noise]:
        """Steps 3 and 4, for all groups of the customer together."""

        def size(group: Group) -> tuple[Fraction | float, Group]:
            sample = normals[group].sample
            rate = Fraction(sample.denied, sample.n)
            noise = max(rate * (1 - rate), Fraction(1, 1000))
            return sample.n / (noise if metric == "DENIAL_RATE" else 1), group

        rolling = {group: normal for group, normal in normals.items() if normal.alert is None}
        large = [g for g in rolling if rolling[g].sample.n >= self.settings.min_volume]
        bins = ntile(sorted(large, key=size), max(1, min(4, len(large) // 25)))
        phi0s = [
            {
                cell: typical_dispersion(
                    [(rolling[g].own[cell].phi, rolling[g].own[cell].d) for g in members]
                )
                for cell in CELLS
            }
            for members in bins
        ]
        d0 = prior_degrees(
            [
                (own.phi, phi0[14], own.d)
                for members, phi0 in zip(bins, phi0s, strict=True)
                for own in (rolling[g].own[14] for g in members)
                if own.phi is not None and own.phi > 1e-9 and own.is_telling
            ]
        )
        # What is too small for a bin is likest to the first one.
        bin_of = {g: number for number, members in enumerate(bins) for g in members}
        found = {}
        for group, normal in normals.items():
            if normal.alert is not None:
                frozen = normal.alert.baseline
                found[group] = Noise(frozen.dispersion, frozen.nu, dict.fromkeys(CELLS, 1.0))
            else:
                number = bin_of.get(group, 0)
                m = len(bins[number])
                found[group] = Noise.of(
                    normal.own[14], phi0s[number], m, max(0.0, min(d0, 6 * (m - 1)))
                )
        return found

    # Steps 5 to 7

    def group(self, group: Group, metric: str, normal: Normal, noise: Noise | None) -> Measurement:
        """One row: the window that says most, or the last 14 days where none can say anything."""
        cuts = [a.first_current(self.as_of) for a in self.alerts if a.concerns(group, metric)]
        recent = [line for line in self.lines[group] if line.decided >= max(cuts, default=date.min)]
        offered = self.windows if metric == "DENIAL_RATE" else ONE_WINDOW
        samples = {
            days: Sample.of([line for line in recent if self.is_current(line, days)])
            for days, _ in offered
        }
        windows = [
            self.window(metric, normal.sample, samples[days], days, weight)
            for days, weight in offered
        ]
        least = self.settings.min_volume
        tested = [w for w in windows if min(w["n"], normal.sample.n) >= least]
        if normal.alert is not None:
            # A live alert is followed in the shortest window that has enough lines.
            tested = tested[:1]
        for w in windows:
            w["has_effect"] = w["has_effect"] and w in tested
        if noise is not None:
            for w in tested:
                phi = noise.phi * noise.factors[w["days"]]
                w |= self.test(metric, normal.sample, samples[w["days"]], phi, noise.nu)
                share = w["p"] / w["weight"] * sum(other["weight"] for other in tested)
                w["p_combined"] = min(1.0, share) if w["has_effect"] else 1.0

        # min() keeps the first, which is the shortest, of those that say as much.
        best = min(tested, key=lambda w: w["p_combined"] or 0, default=windows[0])
        m = self.row(best["days"], normal.start, normal.end)
        m.frozen_alert_id = normal.alert.id if normal.alert else None
        m.windows = windows
        current = samples[best["days"]]
        self.fill(m, metric, normal.sample, current)
        if tested:
            assert m.delta is not None
            m.sufficient = True
            m.has_effect = best["has_effect"]
            m.is_tied = metric == "DECISION_DAYS" and len({*normal.sample.days, *current.days}) == 1
            m.severity = self.settings.severity(metric, m.delta, m.relative_delta)
            m.dispersion, m.z, m.p_value = best["phi"], best["z"], best["p_combined"]
            if noise is None:
                m.drifted = m.may_open = m.has_effect
                m.confidence = min(1, (m.baseline_n + m.current_n) / (4 * least))
                return m
            m.phi_own, m.phi_prior, m.d0, m.nu = noise.own, noise.prior, noise.d0, noise.nu
            if metric == "DENIAL_RATE":
                m.ci_low, m.ci_high = newcombe(
                    current.denied,
                    m.current_n,
                    normal.sample.denied,
                    m.baseline_n,
                    best["phi"],
                )
        return m

    def row(self, days: int, start: date | None, end: date | None) -> Measurement:
        """A row with its dates alone."""
        return Measurement(
            current_start=self.as_of - timedelta(days),
            current_end=self.as_of - timedelta(1),
            baseline_start=start,
            baseline_end=end,
            window_days=days,
        )

    def fill(self, m: Measurement, metric: str, normal: Sample, current: Sample) -> None:
        """Counts and values."""
        m.baseline_n, m.current_n = normal.n, current.n
        if metric == "DECISION_DAYS" and normal.n < self.settings.min_volume:
            # Too few for a median, and so for what is slower.
            return
        m.baseline_x, m.current_x = normal.x(metric, normal), current.x(metric, normal)
        m.baseline_value, m.current_value = normal.value(metric), current.value(metric)
        self.compare(m)
        if metric == "DECISION_DAYS":
            histogram = sorted(Counter(normal.days).items())
            m.baseline_days = [days for days, _ in histogram]
            m.baseline_counts = [lines for _, lines in histogram]

    def compare(self, m: Measurement) -> None:
        """How far the values are apart."""
        if m.baseline_value is None or m.current_value is None:
            return
        m.delta = m.current_value - m.baseline_value
        m.relative_delta = m.delta / m.baseline_value if m.baseline_value else None
        m.direction = None if m.delta == 0 else "up" if m.delta > 0 else "down"

    def window(
        self, metric: str, normal: Sample, current: Sample, days: int, weight: float
    ) -> dict[str, Any]:
        """One of `windows`, before any test."""
        m = self.row(days, None, None)
        self.fill(m, metric, normal, current)
        return {
            "days": days,
            "weight": weight,
            "x": m.current_x,
            "n": m.current_n,
            "delta": m.delta,
            "has_effect": m.delta is not None
            and self.settings.has_effect(metric, m.delta, m.relative_delta),
            **dict.fromkeys(("phi", "z", "p_t", "p_fisher", "p", "p_combined")),
        }

    def test(
        self, metric: str, normal: Sample, current: Sample, phi: float, nu: float
    ) -> dict[str, float | None]:
        """Steps 6 and 11."""
        p_fisher = None
        if metric == "DENIAL_RATE":
            counts = (current.denied, current.n, normal.denied, normal.n)
            z = rate_z(*counts, phi)
            if needs_fisher(*counts, phi):
                p_fisher = effective_fisher(*counts, phi)
        else:
            z = rank_z(current.days, normal.days) / math.sqrt(phi)
        p_t = t_tail(z, nu)
        p = max(p_t, p_fisher or 0, SMALLEST_P)
        return {"phi": phi, "z": z, "p_t": p_t, "p_fisher": p_fisher, "p": p}

    # Steps 8 and 9

    def correct(self, rows: Iterable[Measurement], fdr: float) -> None:
        """Benjamini-Hochberg over what has no live alert, and what may open."""
        sufficient = [m for m in rows if m.sufficient]
        # Days that are all the same leave nothing to test.
        family = [m for m in sufficient if m.frozen_alert_id is None and not m.is_tied]
        q_values = benjamini_hochberg([m.p_value for m in family if m.p_value is not None])
        for m in sufficient:
            m.q_value = m.p_value
        for m, q in zip(family, q_values, strict=True):
            m.q_value = q
        for m in sufficient:
            assert m.q_value is not None
            m.confidence = 1 - m.q_value
            m.drifted = m.has_effect and m.q_value <= fdr
            m.may_open = m.drifted and (self.is_look or m.q_value <= fdr / 10)
