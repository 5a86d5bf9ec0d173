"""`stats.effective_fisher`: Fisher's exact test on what claims in clusters are worth."""

import numpy as np
import pytest
from scipy.stats import fisher_exact

from tests.refusal import refused
from tests.stats import Connect, Table, evaluate, query, random_tables


def p_value(connect: Connect, table: Table | tuple[int | None, ...], phi: float | None) -> float:
    ((value,),) = query(
        connect,
        "SELECT stats.effective_fisher(p_x1 => %s, p_n1 => %s, p_x2 => %s, p_n2 => %s,"
        " p_dispersion => %s)",
        *table,
        phi,
    )
    return value  # type: ignore[no-any-return]


def fisher(x1: int, n1: int, x2: int, n2: int) -> float:
    return float(fisher_exact([[x1, n1 - x1], [x2, n2 - x2]]).pvalue)


def test_independent_claims_are_counted_as_they_are(connect: Connect) -> None:
    tables = random_tables(seed=2, count=50, largest=2_000)
    for table, (expected,) in zip(tables, evaluate(connect, "fisher_exact", tables), strict=True):
        assert p_value(connect, table, 1) == expected, table


def test_counts_are_divided_by_their_dispersion(connect: Connect) -> None:
    for x1, n1, x2, n2 in random_tables(seed=3, count=50, largest=2_000):
        for phi in (1.3, 2.0, 3.7):
            a, b, c, d = (int(np.round(count / phi)) for count in (x1, n1, x2, n2))
            expected = fisher(min(a, b), b, min(c, d), d) if b and d else 1
            found = p_value(connect, (x1, n1, x2, n2), phi)
            assert found == pytest.approx(expected, rel=1e-9), (x1, n1, x2, n2, phi)


def test_halves_go_to_the_even_neighbour(connect: Connect) -> None:
    # 2.5 of 30.5 against 3.5 of 61.5.
    assert p_value(connect, (5, 61, 7, 123), 2) == pytest.approx(fisher(2, 30, 4, 62), rel=1e-12)
    # 0.5 of 14.5 against 1.5 of 15.5.
    assert p_value(connect, (1, 29, 3, 31), 2) == pytest.approx(fisher(0, 14, 2, 16), rel=1e-12)


def test_no_more_are_denied_than_there_are(connect: Connect) -> None:
    # 2.5 of 2.5 are 2 of 2; 3.5 of 3.5 are 4 of 4; 2.67 of 3.33 are 3 of 3.
    assert p_value(connect, (5, 5, 0, 200), 2) == pytest.approx(fisher(2, 2, 0, 100), rel=1e-12)
    assert p_value(connect, (7, 7, 0, 200), 2) == pytest.approx(fisher(4, 4, 0, 100), rel=1e-12)
    assert p_value(connect, (8, 10, 0, 300), 3) == pytest.approx(fisher(3, 3, 0, 100), rel=1e-12)


@pytest.mark.parametrize("table", [(30, 30, 0, 5), (5, 5, 0, 30), (5, 5, 0, 5), (5, 5, 5, 5)])
def test_where_nothing_is_left_of_a_sample_nothing_is_found(connect: Connect, table: Table) -> None:
    # 5 / 10 is half, and goes to 0.
    assert p_value(connect, table, 10) == 1


def test_more_dispersion_is_less_evidence(connect: Connect) -> None:
    found = [p_value(connect, (30, 100, 100, 1000), phi) for phi in (1, 2, 4, 8, 16)]

    assert found == sorted(found)


@pytest.mark.parametrize("missing", range(5))
def test_null_gives_null(connect: Connect, missing: int) -> None:
    arguments = [3, 30, 5, 50, 2.0]
    arguments[missing] = None  # type: ignore[call-overload]

    assert p_value(connect, tuple(arguments[:4]), arguments[4]) is None  # type: ignore[arg-type]


def test_fewer_than_none_are_refused(connect: Connect) -> None:
    with refused("PD010"):
        p_value(connect, (-5, 30, 5, 50), 1)
