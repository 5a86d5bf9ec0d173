"""What detection must find, in plain Python, written from its description and not from the SQL.

Slow and obvious on purpose: samples are lists of single lines, and nothing is counted twice over.
The description's steps are named where they are taken: those of groups in oracle_groups, those of
payers and of clearing here. Its formulas are in oracle_statistics, its words in oracle_records.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate

from tests.drift.oracle_groups import GroupRun, Noise, Normal
from tests.drift.oracle_records import (
    PAYER_NU,
    Alert,
    Baseline,
    Episode,
    Group,
    Identity,
    Key,
    Line,
    Measurement,
    Sample,
    Settings,
    Stratum,
)
from tests.drift.oracle_statistics import t_tail

__all__ = [
    "METRICS",
    "PAYER_NU",
    "Alert",
    "Baseline",
    "Episode",
    "Group",
    "Identity",
    "Key",
    "Line",
    "Measurement",
    "Run",
    "Sample",
    "Settings",
    "Stratum",
    "clearing_evidence",
    "measure",
]
METRICS = ("DECISION_DAYS", "DENIAL_RATE")


def payer_z(parts: Sequence[tuple[float, float, float]]) -> float:
    """Step 12: of groups' denials too many, their variances and phis."""
    noise = sum(phi * variance for _, variance, phi in parts)
    return sum(surplus for surplus, _, _ in parts) / math.sqrt(noise) if noise > 0 else 0.0


def measure(
    lines: Iterable[Line],
    settings: Settings,
    alerts: Iterable[Alert],
    as_of: date,
    looks: Sequence[date] = (),
) -> dict[Key, Measurement]:
    """What a run as of a day finds; `looks` are the days of the applied looks."""
    return Run(lines, settings, alerts, as_of, looks).measure()


class Run(GroupRun):
    """One run over a customer's lines."""

    def measure(self) -> dict[Key, Measurement]:
        """All rows: of groups, of payers as wholes, of payers that may be silent."""
        found: dict[Key, Measurement] = {}
        payers: dict[Key, Measurement] = {}
        for metric in METRICS:
            normals = {group: self.normal(group, metric) for group in self.groups(metric)}
            noises = self.noises(metric, normals) if self.is_significance else {}
            for group, normal in normals.items():
                found[*group, metric] = self.group(group, metric, normal, noises.get(group))
            if metric == "DENIAL_RATE" and self.is_significance:
                payers = self.payers(normals, noises)
        if self.is_significance:
            fdr = self.settings.false_discovery_rate
            self.correct(found.values(), fdr)
            self.correct(payers.values(), min(0.01, fdr))
        found |= payers | self.silences()
        for m in found.values():
            m.is_look = self.is_look
            if not m.drifted:
                m.strata = m.baseline_days = m.baseline_counts = None
        return found

    # Step 12

    def payers(
        self, normals: dict[Group, Normal], noises: dict[Group, Noise]
    ) -> dict[Key, Measurement]:
        """Payers with several groups, whose small changes may add up."""
        found: dict[Key, Measurement] = {}
        for payer in sorted({p for p, _ in normals} | {a.group[0] for a in self.alerts}):
            alert = self.live_alert((payer, None), "DENIAL_RATE")
            strata = tuple(
                Stratum(group[1], normal.sample.n, normal.sample.denied, noises[group].phi)
                for group, normal in normals.items()
                if group[0] == payer and normal.sample.n > 0
            )
            if alert is not None:
                strata = alert.baseline.strata
            elif len(strata) < 2:
                continue
            found[payer, None, "DENIAL_RATE"] = self.payer(payer, strata, alert)
        return found

    def payer(self, payer: int, strata: Sequence[Stratum], alert: Alert | None) -> Measurement:
        """One payer against what was normal for each of its groups."""
        start, end = min(self.baseline, default=None), max(self.baseline, default=None)
        if alert is not None:
            start, end = alert.baseline.start, alert.baseline.end
        m = self.row(14, start, end)
        m.frozen_alert_id = alert.id if alert else None
        m.current_x = 0
        # Of each group: denials too many, their variance if claims were independent, and phi.
        parts: list[tuple[float, float, float]] = []
        for s in strata:
            lines = [line for line in self.lines[payer, s.group] if self.is_current(line, 14)]
            x1, n1 = sum(line.denied for line in lines), len(lines)
            m.current_x, m.current_n = m.current_x + x1, m.current_n + n1
            if n1 > 0:
                p = (x1 + s.x) / (n1 + s.n)
                variance = n1 * s.n * p * (1 - p) / (s.n + n1 - 1)
                parts.append((x1 - n1 * p, variance, s.dispersion))
        m.baseline_n, m.baseline_x = sum(s.n for s in strata), sum(s.x for s in strata)
        m.baseline_value = m.baseline_x / m.baseline_n if m.baseline_n else None
        m.current_value = m.current_x / m.current_n if m.current_n else None
        self.compare(m)
        window = {
            "days": 14,
            "weight": 1.0,
            "x": m.current_x,
            "n": m.current_n,
            "delta": m.delta,
            "has_effect": False,
            **dict.fromkeys(("phi", "z", "p_t", "p_fisher", "p", "p_combined")),
        }
        m.windows = [window]
        m.strata = [
            {"cpt_group_id": s.group, "n": s.n, "x": s.x, "dispersion": s.dispersion}
            for s in strata
        ]
        if min(m.baseline_n, m.current_n) >= self.settings.min_volume:
            assert m.delta is not None
            m.sufficient = True
            m.z = payer_z(parts)
            total = sum(variance for _, variance, _ in parts)
            noise = sum(phi * variance for _, variance, phi in parts)
            m.dispersion = noise / total if total else 1.0
            # One group alone isn't the payer: without whichever of them, the others move as well.
            without = [payer_z([*parts[:i], *parts[i + 1 :]]) for i in range(len(parts))]
            is_shared = all(z * math.copysign(1, m.z) >= 1.645 for z in without)
            m.has_effect = (
                m.delta * m.z > 0
                and is_shared
                and self.settings.has_effect("DENIAL_RATE", m.delta, m.relative_delta)
            )
            m.nu = PAYER_NU
            p = t_tail(m.z, PAYER_NU)
            m.p_value = p if m.has_effect else 1.0
            m.severity = self.settings.severity("DENIAL_RATE", m.delta, m.relative_delta)
            window |= {"has_effect": m.has_effect, "phi": m.dispersion, "z": m.z}
            window |= {"p_t": p, "p": p, "p_combined": m.p_value}
        return m

    # Step 13

    def silences(self) -> dict[Key, Measurement]:
        """Payers that used to decide, and for how many days those that don't have been silent."""
        decided: dict[int, set[date]] = defaultdict(set)
        usual: Counter[int] = Counter()
        lately: Counter[int] = Counter()
        for group, lines in self.lines.items():
            kept = self.kept(group, "DENIAL_RATE")
            decided[group[0]] |= {line.decided for line in lines if line.decided < self.as_of}
            usual[group[0]] += sum(line.decided in kept for line in lines)
            lately[group[0]] += sum(self.is_current(line, 14) for line in lines)
        found: dict[Key, Measurement] = {}
        for payer in sorted(decided.keys() | {a.group[0] for a in self.alerts}):
            alert = self.live_alert((payer, None), "SILENCE")
            enough = self.settings.min_volume * len(self.baseline)
            if alert is None and not (self.baseline and usual[payer] * 14 >= enough):
                continue
            m = self.row(14, min(self.baseline, default=None), max(self.baseline, default=None))
            m.baseline_n, m.current_n = usual[payer], lately[payer]
            m.baseline_x = m.current_x = 0
            longest = self.longest_silence(decided[payer])
            if alert is not None:
                frozen = alert.baseline
                m.frozen_alert_id = alert.id
                m.baseline_start, m.baseline_end = frozen.start, frozen.end
                m.baseline_n, longest = len(frozen.days), frozen.silence
            if lately[payer] == 0:
                m.baseline_value = longest
                if decided[payer]:
                    m.current_value = (self.as_of - max(decided[payer])).days - 1
                self.compare(m)
            m.sufficient = any(n > 0 for other, n in lately.items() if other != payer)
            if m.sufficient and m.delta is not None:
                m.severity = min(1, abs(m.delta) / 28)
                m.drifted = m.may_open = m.delta > 0
            found[payer, None, "SILENCE"] = m
        return found

    def longest_silence(self, decided: set[date]) -> int:
        """The longest run of days within the baseline on which nothing was decided."""
        longest = current = 0
        for day in self.baseline:
            current = 0 if day in decided else current + 1
            longest = max(longest, current)
        return longest


# Step 10


def clearing_evidence(lines: Iterable[Line], alert: Alert, as_of: date) -> float:
    """How much likelier a return to normal is than a stay half-way to the alerted level (ln)."""
    frozen = alert.baseline
    normal = Sample(frozen.days, frozen.denied)
    middle = normal.value("DECISION_DAYS") or 0
    # Each group against a normal of its own: share, phi.
    shares = {s.group: (s.x / s.n, s.dispersion) for s in frozen.strata}
    if alert.group[1] is not None:
        share = (normal.x(alert.metric, normal) or 0) / normal.n
        shares = {alert.group[1]: (share, frozen.dispersion)}
    start = alert.episodes[-1].start
    whole_weeks = (as_of - start).days // 7
    weeks = [0.0] * whole_weeks
    for line in lines:
        week = (line.decided - start).days // 7
        if line.group[0] != alert.group[0] or line.group[1] not in shares:
            continue
        if not 0 <= week < whole_weeks:
            continue
        share, phi = shares[line.group[1]]
        p0, pa = (min(max(p, 0.002), 0.998) for p in (share, share + alert.share_delta / 2))
        is_bad = line.denied if alert.metric == "DENIAL_RATE" else line.days > middle
        weeks[week] += (math.log(p0 / pa) if is_bad else math.log((1 - p0) / (1 - pa))) / phi
    sums = list(accumulate(weeks, initial=0.0))
    return sums[-1] - min(sums)
