"""The oracle itself: the figures that the detector's designers computed, and its own parts."""

from typing import Any

import pytest
from scipy.stats import fisher_exact, kruskal, t

from tests.drift import oracle, oracle_statistics
from tests.drift.oracle import Settings
from tests.drift.vectors import VECTORS, assert_as_designed, vector_lines
from tests.drift.worlds import AS_OF


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_oracle_finds_the_designers_figures(vector: dict[str, Any]) -> None:
    found = oracle.measure(vector_lines(vector), Settings(), [], AS_OF)

    for expected in vector["expect"]:
        assert_as_designed(expected, vars(found[expected["group"], 0, "DENIAL_RATE"]))
    assert {key[1] for key in found} == {0, None}
    assert {m.p_value for key, m in found.items() if key[2] == "DECISION_DAYS"} <= {1.0, None}


def test_its_t_tail_is_close_to_the_real_one() -> None:
    for nu in (4, 12, 30, 62):
        for z in (0.0, 1.0, -2.5, 6.0):
            assert oracle_statistics.t_tail(z, nu) == pytest.approx(2 * t.sf(abs(z), nu), rel=0.1)
    assert oracle_statistics.t_tail(1e9, 1000) == oracle_statistics.SMALLEST_P


def test_its_fisher_and_kruskal_wallis_are_scipys() -> None:
    for x1, n1, x0, n0 in ((14, 32, 39, 407), (0, 30, 5, 60), (9, 9, 0, 9), (3, 40, 3, 40)):
        expected = fisher_exact([[x1, n1 - x1], [x0, n0 - x0]]).pvalue
        assert oracle_statistics.fisher(x1, n1, x0, n0) == pytest.approx(expected, rel=1e-9)
    cells = [(1, 5, 5, 9), (5, 6), (2, 2, 2, 40, 1)]
    found = oracle_statistics.duration_dispersion(cells)
    assert found == pytest.approx(kruskal(*cells).statistic / 2, rel=1e-9)


def test_its_bins_are_postgresqls() -> None:
    assert oracle_statistics.ntile(range(10), 4) == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]
    assert oracle_statistics.ntile([], 1) == [[]]


def test_halves_are_rounded_to_even() -> None:
    # 5/2 and 15/2 lines are 2 and 8.
    expected = oracle_statistics.fisher(2, 8, 50, 100)
    assert oracle_statistics.effective_fisher(5, 15, 100, 200, 2) == expected
    assert oracle_statistics.effective_fisher(1, 1, 100, 200, 2) == 1
