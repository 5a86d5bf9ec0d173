"""What a textbook would do with the simulated worlds, computed beside the product."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import false_discovery_control

from perf.worlds import GROUPS, HISTORY, Floats, Integers, Lines

MIN_VOLUME = 30
FALSE_DISCOVERY_RATE = 0.05
MIN_DELTA, MIN_RELATIVE = 0.05, 0.5

Signs = NDArray[np.int64]  # for each group: 1 it rose, -1 it fell, 0 nothing to say


def fisher_exact(x1: Integers, n1: Integers, x0: Integers, n0: Integers) -> Floats:
    """Two-sided p-values: the chance of all tables that are no likelier than the one at hand."""
    n, x = n0 + n1, x0 + x1
    log_factorial = gammaln(np.arange(n.max() + 1) + 1.0)

    def log_choose(of: Integers, some: Integers) -> Floats:
        possible = (some >= 0) & (some <= of)
        some = np.where(possible, some, 0)
        ways: Floats = log_factorial[of] - log_factorial[some] - log_factorial[of - some]
        return np.where(possible, ways, -np.inf)

    tables = np.arange(n1.max() + 1)
    chance = np.exp(
        log_choose(x[:, None], tables)
        + log_choose((n - x)[:, None], n1[:, None] - tables)
        - log_choose(n, n1)[:, None]
    )
    mine = chance[np.arange(len(x1)), x1][:, None]
    p: Floats = np.where(chance <= mine * (1 + 1e-7), chance, 0).sum(axis=1).clip(0, 1)
    return p


class Textbook:
    """The last 14 days against detection's baseline, by counts of denied and decided lines."""

    def __init__(self, lines: Lines, days: int) -> None:
        self.denied, self.decided = lines.per_day(days)

    def rewrite(self, lines: Lines, groups: Integers, first: int, last: int) -> None:
        """Replace what was decided for `groups` from day `first` to `last` by the lines."""
        fresh = Textbook(lines, self.denied.shape[1])
        days = slice(first, last + 1)
        self.denied[groups, days] = fresh.denied[groups, days]
        self.decided[groups, days] = fresh.decided[groups, days]

    def flags(self, day: int) -> tuple[Signs, Signs]:
        """By Fisher's exact test, Benjamini-Hochberg and the effect; by the effect alone."""
        x0, n0 = self._count(day - HISTORY, day - 56)
        x1, n1 = self._count(day - 14, day)
        enough = (n0 >= MIN_VOLUME) & (n1 >= MIN_VOLUME)
        rate = x0 / n0.clip(1)
        delta = x1 / n1.clip(1) - rate
        big = (abs(delta) >= MIN_DELTA) | ((rate > 0) & (abs(delta) >= MIN_RELATIVE * rate))
        sign = np.where(enough & big, np.sign(delta), 0).astype(np.int64)
        p = fisher_exact(x1, n1, x0, n0)
        q = np.ones(GROUPS)
        q[enough] = false_discovery_control(p[enough])
        return sign * (q <= FALSE_DISCOVERY_RATE), sign

    def _count(self, first: int, end: int) -> tuple[Integers, Integers]:
        return self.denied[:, first:end].sum(axis=1), self.decided[:, first:end].sum(axis=1)
