"""Simulated portfolios of which the truth is known.

Payers decide at rates that we choose and change when we say so. What differs between the worlds is
the noise around those rates, which real payers have and textbook tests assume away:

===========  ====================================================================================
independent  each claim is decided for itself
wobble       each group's true rate moves every week, by 2 points (standard deviation)
batches      a group's claims are decided about 20 at a time, with a correlation of .05 in a batch
===========  ====================================================================================

Everything else is the same in all of them: decisions on working days, a constant volume for each
group, and days from submission to decision that never change, so that those are tested as well.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

World = Literal["independent", "wobble", "batches"]
WORLDS: tuple[World, ...] = ("independent", "wobble", "batches")

# Days are counted from a Monday on.
HISTORY = 56 + 182  # days that detection needs: the default guard band and baseline
PAYERS = 20
CPT_GROUPS = 10  # of each payer
GROUPS = PAYERS * CPT_GROUPS

WOBBLE_SD = 0.02
BATCH_SIZE = 20
BATCH_CORRELATION = 0.05

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Portfolio:
    """Group g is CPT group g % 10 of payer g // 10; volumes are lines in 14 days."""

    volume: Floats
    rate: Floats

    @classmethod
    def mixed(cls, rng: np.random.Generator) -> "Portfolio":
        """Groups of 30 to 500 lines, small ones more often, of which 3 to 25 % are denied."""
        return cls(
            volume=np.exp(rng.uniform(np.log(30), np.log(500), GROUPS)).round(),
            rate=rng.uniform(0.03, 0.25, GROUPS),
        )

    def with_sizes(self, *sizes: int, rate: float = 0.1) -> "Portfolio":
        """The same, but each payer's first groups have these volumes and that rate."""
        volume = self.volume.reshape(PAYERS, CPT_GROUPS).copy()
        rates = self.rate.reshape(PAYERS, CPT_GROUPS).copy()
        volume[:, : len(sizes)] = sizes
        rates[:, : len(sizes)] = rate
        return Portfolio(volume.ravel(), rates.ravel())

    def rates(self, days: int) -> Floats:
        """The true rate of each group on each day, while nothing changes."""
        return np.repeat(self.rate[:, None], days, axis=1)


@dataclass(frozen=True)
class Lines:
    """Decided claim lines, one per element, in order of the days on which they were decided."""

    group: Integers
    day: Integers
    delay: Integers  # days from submission to decision
    denied: Booleans

    def per_day(self, days: int) -> tuple[Integers, Integers]:
        """Denied and decided lines of each group on each day."""
        denied, decided = np.zeros((2, GROUPS, days), dtype=np.int64)
        np.add.at(decided, (self.group, self.day), 1)
        np.add.at(denied, (self.group[self.denied], self.day[self.denied]), 1)
        return denied, decided


def draw(
    world: World,
    rng: np.random.Generator,
    portfolio: Portfolio,
    rates: Floats,
    *,
    groups: Integers | None = None,
    first: int = 0,
) -> Lines:
    """Decide the lines of `groups` (all) from day `first` to the end of `rates`, their truth."""
    if groups is None:
        groups = np.arange(GROUPS)
    truth = rates[groups, first:]
    days = np.arange(first, rates.shape[1])
    if world == "wobble":
        week = days // 7 - first // 7
        truth = truth + rng.normal(0, WOBBLE_SD, (len(groups), week[-1] + 1))[:, week]
    truth = truth.clip(0.002, 0.998)[:, days % 7 < 5]
    days = days[days % 7 < 5]
    decide = _decide_batches if world == "batches" else _decide_singly
    row, column, decided, denied = decide(rng, portfolio.volume[groups] / 10, truth)
    order = np.argsort(column, kind="stable")
    row, column, decided, denied = (a[order] for a in (row, column, decided, denied))
    line = np.repeat(np.arange(len(row)), decided)
    group = groups[row[line]]
    # Payers differ in how long they take; the slowest is at 21 days on average.
    mean = 8 + group // CPT_GROUPS % 5 * 2
    return Lines(
        group=group,
        day=days[column[line]],
        delay=5 + rng.negative_binomial(3, 3 / (3 + mean)),
        denied=np.arange(len(line)) - (np.cumsum(decided) - decided)[line] < denied[line],
    )


Cells = tuple[Integers, Integers, Integers, Integers]  # row, column, decided, denied


def _decide_singly(rng: np.random.Generator, daily: Floats, truth: Floats) -> Cells:
    upto = daily[:, None] * np.arange(truth.shape[1] + 1) + rng.random((len(daily), 1))
    decided = np.diff(np.floor(upto + 1e-9)).astype(np.int64)
    row, column = np.nonzero(decided)
    decided = decided[row, column]
    return row, column, decided, rng.binomial(decided, truth[row, column])


def _decide_batches(rng: np.random.Generator, daily: Floats, truth: Floats) -> Cells:
    """Lines gather until there are enough for a batch, which is then decided on that day."""
    most = int(daily.max() * truth.shape[1] / BATCH_SIZE * 1.1) + 20
    size = rng.poisson(BATCH_SIZE, (len(daily), most)).clip(1)
    ready = np.cumsum(size, axis=1) - rng.random((len(daily), 1)) * BATCH_SIZE
    day = np.floor(ready / daily[:, None]).astype(np.int64)
    row, batch = np.nonzero((day >= 0) & (day < truth.shape[1]))
    column = day[row, batch]
    # The correlation of a beta-binomial's trials is 1 / (a + b + 1).
    sharpness = 1 / BATCH_CORRELATION - 1
    mean = truth[row, column]
    share = rng.beta(mean * sharpness, (1 - mean) * sharpness)
    decided = size[row, batch]
    return row, column, decided, rng.binomial(decided, share)
