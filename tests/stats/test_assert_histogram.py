"""`stats.assert_histogram`, alone and as the gate of the rank tests."""

import psycopg2
import pytest

from tests.stats import Connect, query

CALLS = {
    name: f"SELECT f.* FROM stats.{name}(p_values => %s::int[], p_current => %s::int[],"
    " p_baseline => %s::int[]) AS f"
    for name in ("assert_histogram", "mann_whitney_z", "mann_whitney")
}


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.parametrize(
    ("values", "current", "baseline", "detail"),
    [
        ([1, 2], [1], [1, 1], "There are 2 values, 1 current and 2 baseline counts."),
        ([1, 2], [1, 1], [1], "There are 2 values, 2 current and 1 baseline counts."),
        ([1], [1, 1], [1, 1], "There are 1 values, 2 current and 2 baseline counts."),
        ([], [1], [1], "There are 0 values, 1 current and 1 baseline counts."),
        ([], [], [], "There are 0 current and 0 baseline observations."),
        ([1, None], [1, 1], [1, 1], "Element 2 is NULL."),
        ([1, 2], [None, 1], [1, None], "Element 1 is NULL."),
        ([1, 2], [1, 1], [1, None], "Element 2 is NULL."),
        ([1, 2], [3, -1], [1, 1], "The smallest count is -1."),
        ([1, 2], [3, 1], [-2, 1], "The smallest count is -2."),
        ([4, 1, 4], [1, 1, 1], [1, 1, 1], "Value 4 is repeated."),
        ([1, 2], [0, 0], [1, 1], "There are 0 current and 2 baseline observations."),
        ([1, 2], [1, 1], [0, 0], "There are 2 current and 0 baseline observations."),
    ],
)
def test_invalid_histograms_raise_an_error_that_says_why(
    connect: Connect,
    function: str,
    values: list[int | None],
    current: list[int | None],
    baseline: list[int | None],
    detail: str,
) -> None:
    with pytest.raises(psycopg2.Error, match="invalid counts") as error:
        query(connect, CALLS[function], values, current, baseline)
    assert error.value.pgcode == "PD010"
    assert error.value.diag.message_detail == detail
    assert error.value.diag.message_hint


def test_a_valid_histogram_passes(connect: Connect) -> None:
    query(connect, CALLS["assert_histogram"], [3, -1, 2], [0, 1, 5], [1, 0, 0])
