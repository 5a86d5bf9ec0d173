"""What happens in the simulated worlds, and how detection does: nothing, or known changes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perf.worlds import CPT_GROUPS, HISTORY, PAYERS, WORLDS, Portfolio, World, draw
from perf.worlds_tenant import Episode, Tenant
from perf.worlds_textbook import Textbook

SEED = 20260601
YEAR = 364  # whole weeks
SHIFT = HISTORY  # the day of every change, a Monday
BACK = SHIFT + 56  # the day on which passing changes are over
SIZES = (30, 60, 150, 500)
# Each payer's first groups, at 10 %, are those that change: one of 30 lines, one of 60...
CHANGING = (30, 60, 150, 150, 500, 500)
METHODS = ("significance", "fisher", "threshold")

Row = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How much is simulated, in days but for the replicates."""

    weekly: int = 5 * YEAR
    daily: int = YEAR
    threshold: int = YEAR // 2  # weekly; daily a quarter of it: its alerts are many, and slow
    replicates: int = 16
    after: int = 60 * 7  # from a change on


def percent(hits: Iterable[bool]) -> float | None:
    """The percentage of hits; None where nothing was tried."""
    tried = list(hits)
    return round(100 * sum(tried) / len(tried), 1) if tried else None


def mean(values: Iterable[float]) -> float | None:
    """Rounded; None of nothing."""
    listed = list(values)
    return round(float(np.mean(listed)), 1) if listed else None


def interval(false: Sequence[bool]) -> list[float]:
    """Wilson's 95 % interval of a percentage of fortnightly looks.

    Neighbours share windows: they count as so many looks as the variance between blocks of four,
    which share none, says that they are worth.
    """
    share = float(np.mean(false))
    blocks = [np.mean(block) for block in np.array_split(false, max(1, len(false) // 4))]
    single = share * (1 - share)
    worth = len(false) / max(1.0, 4 * float(np.var(blocks)) / single if single else 1.0)
    z = 1.96
    middle = (share + z**2 / (2 * worth)) / (1 + z**2 / worth)
    half = z / (1 + z**2 / worth) * (single / worth + z**2 / (4 * worth**2)) ** 0.5
    return [round(100 * end, 1) for end in (max(0.0, middle - half), min(1.0, middle + half))]


def days(length: int, step: int = 1) -> range:
    """The days on which an unchanged portfolio is looked at."""
    return range(HISTORY, HISTORY + length + 1, step)


def a_year(found: int, looks: range) -> float:
    """The rate of what was found over the looks."""
    return round(found * YEAR / (looks[-1] - looks[0]), 2)


def onsets(book: Textbook, looks: range) -> int:
    """How often Fisher's test says of a group that it rose when it hadn't the time before."""
    rose = np.array([book.flags(day)[0] > 0 for day in looks])
    return int(rose[0].sum() + (rose[1:] & ~rose[:-1]).sum())


class Unchanged:
    """A portfolio in which nothing changes: whatever is found is false."""

    def __init__(self, tenant: Tenant, world: World, scale: Scale) -> None:
        rng = np.random.default_rng([SEED, WORLDS.index(world), 0])
        self.tenant, self.world, self.scale = tenant, world, scale
        portfolio = Portfolio.mixed(rng)
        days = HISTORY + scale.weekly
        lines = draw(world, rng, portfolio, portfolio.rates(days))
        self.book = Textbook(lines, days)
        tenant.write(lines)
        tenant.vacuum()

    def false_alarms(self) -> list[Row]:
        """One for each method: false runs, false flags in a run, and false alerts a year."""
        scale = self.scale
        weekly, daily = days(scale.weekly, 7), days(scale.daily)
        return [
            self._product("significance", weekly, daily),
            self._textbook(weekly, daily),
            self._product("threshold", days(scale.threshold, 7), days(scale.threshold // 4)),
        ]

    def _product(self, method: str, weekly: range, daily: range) -> Row:
        with self.tenant.undone(method):
            flags = [len(self.tenant.drifted(day)) for day in weekly[::2]]
        return self._row(method, flags, *(self._alerts(method, looks) for looks in (weekly, daily)))

    def _alerts(self, method: str, looks: range) -> float:
        with self.tenant.undone(method):
            self.tenant.detect(looks)
            return a_year(len(self.tenant.episodes()), looks)

    def _textbook(self, weekly: range, daily: range) -> Row:
        flags = [int(np.count_nonzero(self.book.flags(day)[0])) for day in weekly[::2]]
        return self._row(
            "fisher", flags, *(a_year(onsets(self.book, looks), looks) for looks in (weekly, daily))
        )

    def _row(self, method: str, flags: list[int], weekly: float, daily: float) -> Row:
        false = [count > 0 for count in flags]
        return {
            "world": self.world,
            "method": method,
            "looks": len(flags),
            "false_runs": percent(false),
            "interval": interval(false),
            "flags_in_a_run": round(float(np.mean(flags)), 2),
            "weekly": weekly,
            "daily": daily,
        }


class Changing:
    """A portfolio of which some groups change on SHIFT."""

    def __init__(self, tenant: Tenant, world: World, scale: Scale) -> None:
        self.rng = np.random.default_rng([SEED, WORLDS.index(world), 1])
        self.tenant, self.world, self.scale = tenant, world, scale
        self.portfolio = Portfolio.mixed(self.rng).with_sizes(*CHANGING)
        self.days = SHIFT + scale.after
        lines = draw(world, self.rng, self.portfolio, self.portfolio.rates(self.days))
        self.book = Textbook(lines, self.days)
        tenant.write(lines)
        tenant.vacuum()
        self._changed = np.array([], dtype=np.int64)

    def _change(self, groups: list[int], rise: Callable[[int], Any], last: int) -> None:
        """Decide anew, up to day `last`: groups[i] with rates raised by rise(i), by day from SHIFT.

        Groups that were changed before go back to normal.
        """
        rates = self.portfolio.rates(last + 1)
        for i, group in enumerate(groups):
            rates[group, SHIFT:] += rise(i)
        anew = np.union1d(groups, self._changed)
        lines = draw(self.world, self.rng, self.portfolio, rates, groups=anew, first=SHIFT)
        self.tenant.rewrite(lines, anew, SHIFT, last)
        self.book.rewrite(lines, anew, SHIFT, last)
        self._changed = np.array(groups)

    def _alerts(self, end: int) -> dict[int, Episode]:
        """The first alert about each group that rose, by weekly runs from SHIFT on."""
        with self.tenant.undone():
            self.tenant.detect(range(SHIFT + 7, end + 1, 7))
            rose = [
                alert
                for alert in self.tenant.episodes()
                if (alert.metric, alert.direction) == ("DENIAL_RATE", "up")
            ]
        return {alert.group: alert for alert in reversed(rose) if alert.group is not None}

    def power_and_endings(self) -> tuple[list[Row], list[Row]]:
        return self.power(), self.endings()

    def power(self) -> list[Row]:
        """10 -> 20 % in one group of each payer, a quarter of them of each size; repeated."""
        delays: dict[tuple[str, int], list[float]] = {}
        for replicate in range(self.scale.replicates):
            jumped = {}
            for payer in range(PAYERS):
                size = SIZES[(payer + replicate) % len(SIZES)]
                places = [i for i, n in enumerate(CHANGING) if n == size]
                place = places[replicate // len(SIZES) % len(places)]
                jumped[payer * CPT_GROUPS + place] = size
            self._change(list(jumped), lambda _: 0.1, SHIFT + 55)
            alerts = self._alerts(SHIFT + 56)
            risen = [
                [flags > 0 for flags in self.book.flags(day)]
                for day in range(SHIFT + 7, SHIFT + 57, 7)
            ]
            for group, size in jumped.items():
                found = {"significance": alerts[group].opened - SHIFT} if group in alerts else {}
                for method, name in enumerate(("fisher", "threshold")):
                    weeks = [week for week, by in enumerate(risen, 1) if by[method][group]]
                    found |= {name: 7 * weeks[0]} if weeks else {}
                for name in METHODS:
                    delays.setdefault((name, size), []).append(found.get(name, np.inf))
        return [
            {
                "world": self.world,
                "method": method,
                "n": size,
                "groups": len(days),
                "day_14": percent(day <= 14 for day in days),
                "week_4": percent(day <= 28 for day in days),
                "week_8": percent(day <= 56 for day in days),
                "days_until_found": mean(day for day in days if day <= 56),
            }
            for method in METHODS
            for size in SIZES
            for days in [delays[method, size]]
        ]

    def endings(self) -> list[Row]:
        """Lasting and passing changes by 10 points, and a creep of half a point a week.

        Each payer has one of each, groups of 150 and 500 lines in turn.
        """
        after = np.arange(self.scale.after)
        rises = {
            "lasting": np.full(len(after), 0.1),
            "passing": np.where(after < BACK - SHIFT, 0.1, 0),
            "creep": after // 7 * 0.005 + 0.005,
        }
        kinds = [
            (payer * CPT_GROUPS + place, CHANGING[place], list(rises)[(payer + place) % 3])
            for payer in range(PAYERS)
            for place in (2, 3, 4)
        ]
        self._change([g for g, _, _ in kinds], lambda i: rises[kinds[i][2]], self.days - 1)
        alerts = self._alerts(self.days)
        return [
            {"world": self.world, "change": change, "n": size}
            | self._ending([alerts.get(g) for g, n, kind in kinds if (n, kind) == (size, change)])
            for change in rises
            for size in (150, 500)
        ]

    def _ending(self, alerts: list[Episode | None]) -> Row:
        """Delay; and which share of the alerts opened by BACK were live ever since, and when."""
        found = [alert for alert in alerts if alert is not None]
        lived = [
            np.inf if alert.closed is None else alert.closed - BACK
            for alert in found
            if alert.opened <= BACK
        ]
        return {
            "groups": len(alerts),
            "alerted": len(found),
            "days_until_found": mean(alert.opened - SHIFT for alert in found),
            "by_week_8": len(lived),
            **{
                f"live_{days}_days_on": percent(life > days for life in lived)
                for days in (0, 28, 56, 112, 182, YEAR)
                if BACK + days <= self.days
            },
        }
