"""`drift.examine_payers`: a move that all groups of a payer share, however small each of them."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable

from tests.portfolio import Portfolio


class Group(NamedTuple):
    """Lines and denials in the baseline and in the last 14 days, and dispersion."""

    n0: int
    x0: int
    n1: int
    x1: int
    phi: float = 1.0


def examine(portfolio: Portfolio, payers: dict[int, list[Group]]) -> dict[int, dict[str, Any]]:
    """A row for each payer."""
    rows = portfolio.worker.dicts(
        """
        SELECT e.*
        FROM drift_settings AS s
        CROSS JOIN LATERAL drift.examine_payers(
            p_settings => s,
            p_payer_ids => %s::bigint[],
            p_baseline_n => %s::bigint[],
            p_baseline_x => %s::bigint[],
            p_current_n => %s::bigint[],
            p_current_x => %s::bigint[],
            p_dispersions => %s::double precision[]
        ) AS e
        WHERE s.customer_id = %s
        """,
        [payer for payer, groups in payers.items() for _ in groups],
        *([group[column] for groups in payers.values() for group in groups] for column in range(5)),
        portfolio.customer_id,
    )
    return {row["payer_id"]: row for row in rows}


def examine_one(portfolio: Portfolio, groups: list[Group]) -> dict[str, Any]:
    [row] = examine(portfolio, {1: groups}).values()
    return row


def z_of(groups: list[Group]) -> float:
    """As the description has it."""
    excess, variance = 0.0, 0.0
    for n0, x0, n1, x1, phi in groups:
        p = (x0 + x1) / (n0 + n1)
        excess += x1 - n1 * p
        variance += phi * n1 * n0 * p * (1 - p) / (n0 + n1 - 1)
    return excess / math.sqrt(variance) if variance > 0 else 0.0


def student_p(z: float, df: float = 60) -> float:
    """Wallace's approximation."""
    return math.erfc((8 * df + 1) / (8 * df + 3) * math.sqrt(df * math.log(1 + z * z / df) / 2))


def many(count: int, current: tuple[int, int], phi: float = 1.0) -> list[Group]:
    """Groups of 200 lines that had 10 % denied, and now n1 and x1."""
    return [Group(200, 20, *current, phi)] * count


def test_groups_that_all_move_a_bit_are_found_together(portfolio: Portfolio) -> None:
    groups = many(20, (10, 2))

    row = examine_one(portfolio, groups)

    assert (row["strata"], row["sufficient"], row["has_effect"]) == (20, True, True)
    assert (row["baseline_n"], row["baseline_x"]) == (4000, 400)
    assert (row["current_n"], row["current_x"]) == (200, 40)
    assert row["z"] == pytest.approx(z_of(groups), rel=1e-12)
    assert row["p_value"] == row["p_t"] == pytest.approx(student_p(row["z"]), rel=1e-9)
    assert (row["dispersion"], row["nu"]) == (1, 60)
    assert row["p_t"] < 1e-4
    # One of them by itself is nothing.
    assert student_p(z_of(groups[:1])) > 0.1


def test_without_dispersion_it_is_the_cochran_mantel_haenszel_test(portfolio: Portfolio) -> None:
    random = np.random.default_rng(1)
    payers: dict[int, list[Group]] = {}
    for payer in range(30):
        payers[payer] = []
        for _ in range(random.integers(2, 9)):
            n0, n1 = int(random.integers(30, 900)), int(random.integers(1, 60))
            rate = float(random.random() ** 2)
            x0, x1 = int(random.binomial(n0, rate)), int(random.binomial(n1, rate))
            payers[payer].append(Group(n0, x0, n1, x1))

    for payer, row in examine(portfolio, payers).items():
        tables = [
            np.array([[g.x1, g.n1 - g.x1], [g.x0, g.n0 - g.x0]], dtype=float) for g in payers[payer]
        ]
        expected = StratifiedTable(tables).test_null_odds().statistic
        if row["z"] is not None:
            assert row["z"] ** 2 == pytest.approx(expected, rel=1e-9, abs=1e-12), payer


def test_dispersion_makes_it_less_sure(portfolio: Portfolio) -> None:
    calm = examine_one(portfolio, many(20, (10, 2)))
    noisy = examine_one(portfolio, many(20, (10, 2), phi=4.0))

    assert noisy["z"] == pytest.approx(calm["z"] / 2, rel=1e-12)
    assert noisy["dispersion"] == 4


def test_the_dispersion_of_a_payer_is_the_mean_by_variance(portfolio: Portfolio) -> None:
    # The second's variance is three times that of the first.
    groups = [Group(1000, 100, 10, 1, 1.0), Group(3000, 300, 30, 3, 5.0)]

    row = examine_one(portfolio, groups)

    variances = [n0 * n1 * 0.1 * 0.9 / (n0 + n1 - 1) for n0, _, n1, _, _ in groups]
    assert row["dispersion"] == pytest.approx(
        (variances[0] + 5 * variances[1]) / sum(variances), rel=1e-12
    )


def test_a_shift_of_the_mix_alone_is_nothing(portfolio: Portfolio) -> None:
    # Each group keeps its rate; more of the lines come from the one with the higher.
    row = examine_one(portfolio, [Group(2000, 100, 20, 1), Group(500, 200, 180, 72)])

    assert row["z"] == pytest.approx(0, abs=1e-12)
    assert row["current_x"] / row["current_n"] > 2 * row["baseline_x"] / row["baseline_n"]
    assert (row["has_effect"], row["p_value"]) == (False, 1)


def test_pooled_rates_that_move_the_other_way_are_nothing(portfolio: Portfolio) -> None:
    # Both rise, from 5 to 15 % and from 40 to 60 %, while the mix turns to the lower one.
    groups = [Group(1000, 50, 300, 45), Group(1000, 400, 20, 12)]

    row = examine_one(portfolio, groups)

    assert row["z"] > 4
    assert row["current_x"] / row["current_n"] < row["baseline_x"] / row["baseline_n"]
    assert (row["has_effect"], row["p_value"]) == (False, 1)
    assert row["p_t"] < 1e-4


def test_a_change_too_small_to_matter_is_nothing(portfolio: Portfolio) -> None:
    row = examine_one(portfolio, [Group(100_000, 10_000, 10_000, 1_300)] * 3)

    assert row["z"] > 10
    assert (row["has_effect"], row["p_value"]) == (False, 1)


def test_one_group_alone_is_not_its_payer(portfolio: Portfolio) -> None:
    # The first rises from 10 to 60 %, and the others stay.
    row = examine_one(portfolio, [Group(1000, 100, 100, 60), *many(4, (20, 2))])

    assert row["z"] > 5
    assert (row["has_effect"], row["p_value"]) == (False, 1)


@pytest.mark.parametrize(("x1", "shared"), [(15, False), (16, True)])
def test_without_the_largest_mover_the_others_must_still_move(
    portfolio: Portfolio, x1: int, shared: bool
) -> None:
    # A group that decided nothing lately says nothing.
    others = [Group(1000, 100, 100, x1), Group(10, 1, 0, 0)]

    row = examine_one(portfolio, [Group(1000, 100, 100, 40), *others])

    # One-sided, p = 0.05 is z = 1.645.
    assert (z_of(others) >= 1.645) is shared
    assert row["has_effect"] is shared
    assert row["z"] > 5


def test_falling_rates_are_found_as_well(portfolio: Portfolio) -> None:
    groups = [Group(200, 80, 10, 1)] * 20

    row = examine_one(portfolio, groups)

    assert row["z"] == pytest.approx(z_of(groups), rel=1e-12)
    assert row["z"] < -4
    assert row["p_value"] == row["p_t"] < 0.001


@pytest.mark.parametrize(
    ("groups", "sufficient"),
    [
        ([Group(15, 1, 15, 5), Group(15, 1, 15, 5)], True),
        ([Group(15, 1, 15, 5), Group(14, 1, 15, 5)], False),
        ([Group(15, 1, 15, 5), Group(15, 1, 14, 5)], False),
    ],
)
def test_the_groups_together_need_the_minimum_volume(
    portfolio: Portfolio, groups: list[Group], sufficient: bool
) -> None:
    row = examine_one(portfolio, groups)

    assert row["sufficient"] is sufficient
    for column in ("z", "dispersion", "nu", "p_t", "p_value"):
        assert (row[column] is not None) is sufficient, column


def test_groups_without_a_baseline_are_passed_over(portfolio: Portfolio) -> None:
    groups = many(5, (10, 2))

    assert examine_one(portfolio, [*groups, Group(0, 0, 50, 50)]) == examine_one(portfolio, groups)
    assert examine(portfolio, {1: [Group(0, 0, 50, 50)]}) == {}
    assert examine(portfolio, {}) == {}


def test_where_nothing_varies_there_is_no_z(portfolio: Portfolio) -> None:
    # Nothing was ever denied; everything is; nothing is current.
    for groups in (
        [Group(100, 0, 20, 0)] * 3,
        [Group(100, 100, 20, 20)] * 3,
    ):
        row = examine_one(portfolio, groups)
        assert (row["z"], row["p_t"], row["p_value"], row["dispersion"]) == (0, 1, 1, 1)
    row = examine_one(portfolio, [Group(100, 10, 0, 0)] * 3)
    assert (row["sufficient"], row["current_n"]) == (False, 0)


def test_payers_are_tested_apart(portfolio: Portfolio) -> None:
    moved, calm = many(20, (10, 2)), many(20, (10, 1))

    both = examine(portfolio, {7: moved, 8: calm})

    assert both[7] == examine(portfolio, {7: moved})[7]
    assert both[8]["p_value"] == 1
