"""`stats.prior_dispersion` against a little Python: bins, their medians and what they are worth."""

import math
from statistics import median, variance
from typing import NamedTuple

import numpy as np
import pytest

from tests.stats import Connect, query


class Group(NamedTuple):
    """What is known about a group."""

    size: float
    dispersion: float | None
    df: float | None
    tells: bool | None


class Prior(NamedTuple):
    """What the others say about it."""

    bin: int
    members: int
    phi: float
    d0: float


def prior(connect: Connect, groups: list[Group]) -> list[Prior]:
    rows = query(
        connect,
        """
        SELECT p.number, p.bin, p.members, p.phi_prior, p.d0
        FROM stats.prior_dispersion(
            p_sizes => %s::double precision[],
            p_dispersions => %s::double precision[],
            p_dfs => %s::double precision[],
            p_tell => %s::boolean[]
        ) AS p
        ORDER BY p.number
        """,
        *([group[column] for group in groups] for column in range(4)),
    )
    assert [row[0] for row in rows] == list(range(1, len(groups) + 1))
    return [Prior(*row[1:]) for row in rows]


def ntile(count: int, bins: int) -> list[int]:
    """SQL's: the first bins take what can't be shared equally."""
    share, more = divmod(count, bins)
    return [number + 1 for number in range(bins) for _ in range(share + (number < more))]


def expected_prior(groups: list[Group]) -> list[Prior]:
    order = sorted(range(len(groups)), key=lambda number: (groups[number].size, number))
    bins = dict(zip(order, ntile(len(groups), max(1, min(4, len(groups) // 25))), strict=True))
    members = {b: [g for n, g in enumerate(groups) if bins[n] == b] for b in set(bins.values())}
    phi = {
        b: max(
            1,
            median(
                [g.dispersion / (1 - 2 / (9 * g.df)) ** 3 for g in inside if g.dispersion and g.df]
                or [1]
            ),
        )
        for b, inside in members.items()
    }
    telling = [
        (math.log(g.dispersion / phi[bins[n]]), 2 / g.df + 2 / g.df**2 + 4 / (3 * g.df**3))
        for n, g in enumerate(groups)
        if g.tells and g.df and g.dispersion is not None and g.dispersion > 1e-9
    ]
    d0 = 50.0
    if len(telling) >= 10:
        v = variance(log for log, _ in telling) - sum(s for _, s in telling) / len(telling)
        if v > 0:
            d0 = max(4, min(50, (1 + math.sqrt(1 + 2 * v)) / v))
    return [
        Prior(
            bins[n],
            len(members[bins[n]]),
            phi[bins[n]],
            min(d0, 6 * (len(members[bins[n]]) - 1)),
        )
        for n in range(len(groups))
    ]


def random_groups(seed: int, count: int, spread: float) -> list[Group]:
    """Groups whose true dispersions differ by a factor of about exp(spread)."""
    random = np.random.default_rng(seed)
    groups = []
    for _ in range(count):
        df = float(random.integers(3, 13))
        true = 1.7 * math.exp(spread * random.standard_normal())
        known = random.random() < 0.9
        groups.append(
            Group(
                # Many are of one size: then their order decides.
                float(random.integers(1, 20)),
                float(true * random.chisquare(df) / df) if known else None,
                df if known else None,
                bool(random.random() < 0.7),
            )
        )
    return groups


@pytest.mark.parametrize("spread", [0.0, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("count", [1, 2, 9, 24, 25, 49, 50, 77, 99, 100, 103, 260])
def test_it_is_what_python_says(connect: Connect, count: int, spread: float) -> None:
    groups = random_groups(count, count, spread)
    for found, wanted in zip(prior(connect, groups), expected_prior(groups), strict=True):
        assert found == (wanted.bin, wanted.members, *(pytest.approx(v) for v in wanted[2:]))


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(24, [24]), (49, [49]), (50, [25, 25]), (76, [26, 25, 25]), (99, [33] * 3), (400, [100] * 4)],
)
def test_a_bin_has_at_least_25_groups_and_there_are_four_at_most(
    connect: Connect, count: int, sizes: list[int]
) -> None:
    rows = prior(connect, [Group(float(n), 1.0, 12.0, True) for n in range(count)])

    assert [row.bin for row in rows] == [b + 1 for b, size in enumerate(sizes) for _ in range(size)]
    assert [row.members for row in rows] == [size for size in sizes for _ in range(size)]


def test_groups_of_a_size_keep_their_order(connect: Connect) -> None:
    rows = prior(connect, [Group(1.0, 1.0, 12.0, True)] * 60)

    assert [row.bin for row in rows] == [1] * 30 + [2] * 30


def test_the_median_is_corrected_to_a_mean_and_at_least_1(connect: Connect) -> None:
    correction = (1 - 2 / (9 * 4)) ** 3

    [row, *_] = prior(connect, [Group(1.0, phi, 4.0, True) for phi in (0.1, 2.0, 40.0)])
    assert row.phi == pytest.approx(2 / correction, rel=1e-15)
    [row, *_] = prior(connect, [Group(1.0, phi, 4.0, True) for phi in (0.1, 0.5, 40.0)])
    assert row.phi == 1


def test_groups_whose_dispersion_is_unknown_count_as_members_only(connect: Connect) -> None:
    unknown = [Group(1.0, None, None, None)] * 3

    assert prior(connect, [Group(1.0, 3.0, 4.0, True), *unknown])[0].members == 4
    assert {row.phi for row in prior(connect, unknown)} == {1.0}


def test_one_group_has_nobody_to_learn_from(connect: Connect) -> None:
    [row] = prior(connect, [Group(1.0, 3.0, 4.0, True)])

    assert (row.members, row.d0) == (1, 0)


def test_each_other_group_is_worth_six_degrees_of_freedom_at_most(connect: Connect) -> None:
    for count in (2, 5, 9, 10):
        rows = prior(connect, [Group(1.0, 1.0, 12.0, True)] * count)
        assert {row.d0 for row in rows} == {min(50, 6 * (count - 1))}


def test_groups_that_differ_much_say_little_about_each_other(connect: Connect) -> None:
    alike = [Group(1.0, 1.0 + n % 2 / 10, 12.0, True) for n in range(20)]
    unlike = [Group(1.0, 0.2 * 30 ** (n % 2), 12.0, True) for n in range(20)]

    assert prior(connect, alike)[0].d0 == 50
    assert prior(connect, unlike)[0].d0 == 4
    # Those too small to tell, or without any variation, don't.
    assert prior(connect, [group._replace(tells=False) for group in unlike])[0].d0 == 50
    assert prior(connect, [*alike, Group(1.0, 0.0, 12.0, True)])[0].d0 == 50


def test_no_groups_are_no_rows(connect: Connect) -> None:
    assert prior(connect, []) == []
