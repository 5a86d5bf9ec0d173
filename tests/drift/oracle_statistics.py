"""The statistics of the detector as its description states them, for the oracle.

Whole numbers and fractions where floating point would cancel: what differs here is the product's.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from statistics import median, variance
from typing import TypeVar

import numpy as np
from scipy.special import erfc
from scipy.stats import false_discovery_control, rankdata

Member = TypeVar("Member")
SMALLEST_P = 1e-300


def t_tail(z: float, nu: float) -> float:
    """Two-sided tail of Student's t by Wallace's approximation."""
    scale = (8 * nu + 1) / (8 * nu + 3)
    tail = erfc(scale * math.sqrt(nu * math.log1p(z * z / nu)) / math.sqrt(2))
    return max(float(tail), SMALLEST_P)


def rate_z(x1: int, n1: int, x0: int, n0: int, phi: float = 1) -> float:
    """Two proportions, pooled, as if counts were phi times as noisy as a coin's."""
    pooled = (x1 + x0) / (n1 + n0)
    if pooled in (0, 1):
        return 0
    noise = math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0)) * math.sqrt(phi)
    return (x1 / n1 - x0 / n0) / noise


def fisher(x1: int, n1: int, x0: int, n0: int) -> float:
    """Two-sided, by counting all tables with the same margins that are no likelier."""
    denied, lines = x1 + x0, n1 + n0
    possible = range(max(0, n1 - (lines - denied)), min(n1, denied) + 1)
    ways = {x: math.comb(denied, x) * math.comb(lines - denied, n1 - x) for x in possible}
    # Ties within a factor of 1 + 1e-7.
    extreme = sum(w for w in ways.values() if w * 10**7 <= ways[x1] * (10**7 + 1))
    return extreme / math.comb(lines, n1)


def needs_fisher(x1: int, n1: int, x0: int, n0: int, phi: float) -> bool:
    """Whether the smallest expected count, in effective lines, is below 10."""
    pooled = (x1 + x0) / (n1 + n0)
    return min(n1, n0) * min(pooled, 1 - pooled) / phi < 10


def effective_fisher(x1: int, n1: int, x0: int, n0: int, phi: float) -> float:
    """Rao-Scott: Fisher's test on counts divided by phi, rounded half to even."""
    # round() is half-even, as is PostgreSQL's of a double precision.
    counts = [round(count / phi) for count in (x1, n1, x0, n0)]
    if counts[1] == 0 or counts[3] == 0:
        return 1.0
    return fisher(min(counts[0], counts[1]), counts[1], min(counts[2], counts[3]), counts[3])


def rank_z(current: Sequence[int], baseline: Sequence[int]) -> float:
    """Mann-Whitney's z, corrected for ties and continuity."""
    n1, n0 = len(current), len(baseline)
    n = n1 + n0
    ranks = rankdata([*current, *baseline])
    distance = float(ranks[:n1].sum()) - n1 * (n1 + 1) / 2 - n1 * n0 / 2
    ties = np.unique([*current, *baseline], return_counts=True)[1].astype(float)
    if len(ties) == 1 or abs(distance) < 0.5:
        return 0
    spread = n1 * n0 / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
    return math.copysign(abs(distance) - 0.5, distance) / math.sqrt(spread)


def rate_dispersion(cells: Sequence[tuple[int, int]]) -> float | None:
    """How much noisier than a coin's the rates of cells (x, n) are: Pearson's X2 by its degrees."""
    x, n = sum(cell[0] for cell in cells), sum(cell[1] for cell in cells)
    if len(cells) < 2 or x in (0, n):
        return None
    rate = Fraction(x, n)
    between = sum(Fraction(cell[0] ** 2, cell[1]) for cell in cells) - Fraction(x * x, n)
    return float(between / (rate * (1 - rate)) / (len(cells) - 1))


def duration_dispersion(cells: Sequence[Sequence[int]]) -> float | None:
    """Kruskal-Wallis' H of the cells' days, tie-corrected, by its degrees."""
    days = [number for cell in cells for number in cell]
    if len(cells) < 2 or len(set(days)) == 1:
        return None
    n = len(days)
    ranks = iter([Fraction(rank) for rank in rankdata(days).tolist()])
    squares = sum(sum((next(ranks) for _ in cell), Fraction()) ** 2 / len(cell) for cell in cells)
    ties = np.unique(days, return_counts=True)[1].tolist()
    correction = 1 - Fraction(sum(t**3 - t for t in ties), n**3 - n)
    h = (Fraction(12, n * (n + 1)) * squares - 3 * (n + 1)) / correction
    return float(h / (len(cells) - 1))


def typical_dispersion(own: Sequence[tuple[float | None, int]]) -> float:
    """Median of (phi_own, d), each freed from the skew of its few degrees; 1 at least."""
    freed = [phi / (1 - 2 / (9 * d)) ** 3 for phi, d in own if phi is not None]
    return max(1.0, median(freed)) if freed else 1.0


def prior_degrees(own: Sequence[tuple[float, float, int]]) -> float:
    """How alike groups are, as degrees of freedom, from each (phi_own, phi_prior, d)."""
    if len(own) < 10:
        return 50.0
    logs = [math.log(phi / prior) for phi, prior, _ in own]
    expected = [2 / d + 2 / d**2 + 4 / (3 * d**3) for _, _, d in own]
    v = variance(logs) - math.fsum(expected) / len(expected)
    if v <= 0:
        return 50.0
    return min(max((1 + math.sqrt(1 + 2 * v)) / v, 4.0), 50.0)


def ntile(members: Sequence[Member], bins: int) -> list[list[Member]]:
    """Cut into bins as PostgreSQL does: the first ones get the members left over."""
    size, left_over = divmod(len(members), bins)
    ends = list(accumulate(size + (number < left_over) for number in range(bins)))
    return [list(members[end - size - (i < left_over) : end]) for i, end in enumerate(ends)]


def _wilson(x: int, n: int) -> tuple[float, float]:
    z = 1.959963984540054
    middle = (x + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(x * (n - x) / n + z * z / 4)
    return middle - half, middle + half


def newcombe(x1: int, n1: int, x0: int, n0: int, phi: float = 1) -> tuple[float, float]:
    """95 % interval of the change, its two margins widened by sqrt(phi)."""
    p1, p0 = x1 / n1, x0 / n0
    (l1, u1), (l0, u0) = _wilson(x1, n1), _wilson(x0, n0)
    below = math.hypot(p1 - l1, u0 - p0) * math.sqrt(phi)
    above = math.hypot(u1 - p1, p0 - l0) * math.sqrt(phi)
    return max(p1 - p0 - below, -1.0), min(p1 - p0 + above, 1.0)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Their q values, in the same order."""
    found: list[float] = false_discovery_control(p_values).tolist() if p_values else []
    return found
