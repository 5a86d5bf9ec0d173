"""`stats.benjamini_hochberg` against statsmodels."""

import math

import numpy as np
import psycopg2
import pytest
from statsmodels.stats.multitest import multipletests

from tests.stats import Connect, query


def q_values(connect: Connect, p_values: list[float | None] | None) -> list[float | None] | None:
    ((result,),) = query(
        connect, "SELECT stats.benjamini_hochberg(p_values => %s::double precision[])", p_values
    )
    q: list[float | None] | None = result
    return q


def assert_as_statsmodels(connect: Connect, p_values: list[float]) -> None:
    expected = multipletests(p_values, method="fdr_bh")[1]
    assert q_values(connect, list(p_values)) == pytest.approx(list(expected), rel=1e-9, abs=0)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 57, 200, 5_000])
def test_random_families_agree_with_statsmodels(connect: Connect, size: int) -> None:
    random = np.random.default_rng(size)
    for power in (1, 4, 60):
        assert_as_statsmodels(connect, [float(p) ** power for p in random.random(size)])


def test_ties_agree_with_statsmodels(connect: Connect) -> None:
    random = np.random.default_rng(1)
    for size in (2, 20, 300):
        assert_as_statsmodels(connect, [float(p) / 10 for p in random.integers(11, size=size)])


@pytest.mark.parametrize(
    "p_values",
    [[0.0], [1.0], [0.0] * 5, [1.0] * 5, [0.0, 1.0], [5e-324, 1e-300, 1.0], [0.04] * 3 + [0.01]],
)
def test_extreme_families_agree_with_statsmodels(connect: Connect, p_values: list[float]) -> None:
    assert_as_statsmodels(connect, p_values)


def test_nulls_stay_where_they_are_and_do_not_count(connect: Connect) -> None:
    assert q_values(connect, [None, 0.03, None, 0.01, 0.02, None]) == [
        None,
        pytest.approx(0.03),
        None,
        pytest.approx(0.03),
        pytest.approx(0.03),
        None,
    ]


def test_a_family_of_nulls_stays_null(connect: Connect) -> None:
    assert q_values(connect, [None, None]) == [None, None]


def test_an_empty_family_stays_empty(connect: Connect) -> None:
    assert q_values(connect, []) == []


def test_null_gives_null(connect: Connect) -> None:
    assert q_values(connect, None) is None


@pytest.mark.parametrize(
    ("p", "name"),
    [
        (-1e-12, "-1e-12"),
        (1.0000001, "1.0000001"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_what_is_no_probability_raises_an_error_that_names_it(
    connect: Connect, p: float, name: str
) -> None:
    with pytest.raises(psycopg2.Error, match="invalid p-values") as error:
        q_values(connect, [0.5, p, None])
    assert error.value.pgcode == "PD010"
    assert error.value.diag.message_detail == f"{name} is not a probability."
    assert error.value.diag.message_hint
