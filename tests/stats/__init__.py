"""What the tests of `stats` share: tables of counts, and how to ask about all of them at once.

A table is (x1, n1, x2, n2): x1 denials among the n1 claims of one sample, x2 among n2 of the other.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, TypeAlias

import numpy as np
from psycopg2 import sql
from psycopg2.extensions import connection

Connect: TypeAlias = Callable[..., connection]
Table: TypeAlias = tuple[int, int, int, int]

SIZES = (1, 2, 3, 7, 30, 150, 999, 100_000)

# Nothing, one, half, all but one and everything denied, in samples of 1 to 100,000.
EXTREME_TABLES: list[Table] = sorted(
    {
        (x1, n1, x2, n2)
        for n1 in SIZES
        for n2 in SIZES
        for x1 in (0, 1, n1 // 2, n1 - 1, n1)
        for x2 in (0, 1, n2 // 2, n2 - 1, n2)
    }
)


def random_tables(seed: int, count: int, largest: int) -> list[Table]:
    """Sizes spread evenly on a logarithmic scale; every second table has nearly equal rates."""
    random = np.random.default_rng(seed)
    tables: list[Table] = []
    for number in range(count):
        n1, n2 = (round(largest ** random.random()) for _ in range(2))
        if number % 2:
            x1, x2 = random.integers(n1 + 1), random.integers(n2 + 1)
        else:
            rate = random.random() ** 2
            x1, x2 = random.binomial(n1, rate), random.binomial(n2, min(1, rate * 1.05))
        tables.append((int(x1), n1, int(x2), n2))
    return tables


def query(
    connect: Connect, statement: str | sql.Composed, *arguments: object
) -> list[tuple[Any, ...]]:
    """All rows of one statement, as the worker sees them."""
    with closing(connect()) as database, database.cursor() as cursor:
        cursor.execute(statement, arguments)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def evaluate(connect: Connect, function: str, tables: Sequence[Table]) -> list[tuple[Any, ...]]:
    """What a function of (x1, n1, x2, n2) returns for each table, in order."""
    rows = query(
        connect,
        sql.SQL(
            """
            SELECT f.*
            FROM unnest(%s::int[], %s::int[], %s::int[], %s::int[]) WITH ORDINALITY
                AS t (x1, n1, x2, n2, i)
            CROSS JOIN LATERAL stats.{}(
                p_x1 => t.x1, p_n1 => t.n1, p_x2 => t.x2, p_n2 => t.n2
            ) AS f
            ORDER BY t.i
            """
        ).format(sql.Identifier(function)),
        *([table[column] for table in tables] for column in range(4)),
    )
    assert len(rows) == len(tables)
    return rows
