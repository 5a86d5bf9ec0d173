"""`stats.assert_counts`, alone and as the gate of the functions that compare two counts."""

import psycopg2
import pytest

from tests.stats import EXTREME_TABLES, Connect, Table, evaluate

INVALID_TABLES: list[Table] = [
    (-1, 10, 3, 10),
    (3, 10, -1, 10),
    (11, 10, 3, 10),
    (3, 10, 11, 10),
    (0, 0, 3, 10),
    (3, 10, 0, 0),
    (-1, -1, -1, -1),
    (0, -5, 3, 10),
    (2_147_483_647, 1, 0, 1),
    (-2_147_483_648, -2_147_483_648, 0, 1),
]


@pytest.mark.parametrize("table", INVALID_TABLES)
@pytest.mark.parametrize(
    "function", ["assert_counts", "fisher_exact", "two_proportion_z", "newcombe_interval"]
)
def test_invalid_counts_raise_an_error_that_names_them(
    connect: Connect, function: str, table: Table
) -> None:
    with pytest.raises(psycopg2.Error, match="invalid counts") as error:
        evaluate(connect, function, [table])
    x1, n1, x2, n2 = table
    assert error.value.pgcode == "PD010"
    assert (
        error.value.diag.message_detail
        == f"Sample 1 has x = {x1} of n = {n1}, sample 2 has x = {x2} of n = {n2}."
    )
    assert error.value.diag.message_hint


def test_valid_counts_pass(connect: Connect) -> None:
    evaluate(connect, "assert_counts", EXTREME_TABLES)
