"""What the catalogue says of indexes and constraints, for the operations in `core.online`."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from django.db.models import Model, UniqueConstraint


class OnlineChangeError(CommandError):
    """A busy table can't be changed as asked; nothing half-done is in the way of anybody."""


@dataclass(frozen=True)
class Index:
    """An index of a table's schema, by its name."""

    table: str
    is_valid: bool
    is_unique: bool
    # From USING on, so that it is the same for another name.
    definition: str


@dataclass(frozen=True)
class Constraint:
    """A constraint of one table, by its name."""

    is_valid: bool
    definition: str


def fetch(connection: Any, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
        return rows


def with_suffix(name: str, suffix: str) -> str:
    """`name_suffix`, made to fit PostgreSQL's 63 characters where it wouldn't."""
    if len(name) + len(suffix) + 1 <= 63:
        return f"{name}_{suffix}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: 63 - len(suffix) - 10]}_{digest}_{suffix}"


def find_index(connection: Any, table: str, name: str) -> Index | None:
    rows = fetch(
        connection,
        """
        SELECT t.relname, i.indisvalid, i.indisunique, pg_get_indexdef(c.oid)
        FROM pg_class AS c
        JOIN pg_index AS i ON i.indexrelid = c.oid
        JOIN pg_class AS t ON t.oid = i.indrelid
        WHERE
            c.relname = %s
            AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = %s::regclass)
        """,
        name,
        connection.ops.quote_name(table),
    )
    if not rows:
        return None
    [[owner, is_valid, is_unique, definition]] = rows
    return Index(owner, is_valid, is_unique, _from_using(definition))


def find_constraint(connection: Any, table: str, name: str) -> Constraint | None:
    rows = fetch(
        connection,
        "SELECT convalidated, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname = %s AND conrelid = %s::regclass",
        name,
        connection.ops.quote_name(table),
    )
    return Constraint(*rows[0]) if rows else None


def ends_as_index(constraint: UniqueConstraint) -> bool:
    """Whether PostgreSQL has no constraint for it, only a unique index; Django thinks so, too."""
    given: Any = constraint  # the stubs don't know all of it
    return bool(given.condition or given.expressions or given.include or given.opclasses)


def unique_index_sql(
    editor: Any, model: type[Model], constraint: UniqueConstraint, name: str
) -> str:
    """CREATE UNIQUE INDEX CONCURRENTLY for what the constraint says, under another name or its."""
    statement: Any = constraint.create_sql(model, editor)
    statement.template = editor.sql_create_unique_index.replace(
        "CREATE UNIQUE INDEX", "CREATE UNIQUE INDEX CONCURRENTLY"
    )
    statement.parts["name"] = editor.quote_name(name)
    return str(statement)


def wanted_definition(connection: Any, table: str, sql: str) -> str:
    """How PostgreSQL would write the definition of the index that `sql` creates concurrently.

    Found out on an empty copy of the table, since expressions and conditions are rewritten.
    """
    quoted = connection.ops.quote_name(table)
    probe = 'pg_temp."online_probe"'
    with transaction.atomic(using=connection.alias):
        fetch(connection, f"CREATE TEMP TABLE online_probe (LIKE {quoted}) ON COMMIT DROP")
        fetch(
            connection,
            # None of it is a parameter, so that a percent sign means itself.
            sql.replace(" CONCURRENTLY", "", 1).replace(f" ON {quoted} ", f" ON {probe} ", 1),
        )
        [[definition]] = fetch(
            connection,
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = 'pg_temp.online_probe'::regclass",
        )
    return _from_using(definition)


def count_duplicates(connection: Any, table: str, index: str) -> tuple[int, int, str]:
    """Keys that are there more than once, rows beyond the first of each, and the key's columns.

    By the definition of the index, valid or not, that couldn't be built.
    """
    quote = connection.ops.quote_name
    [[columns, condition, nulls_not_distinct]] = fetch(
        connection,
        """
        SELECT
            ARRAY(
                SELECT pg_get_indexdef(i.indexrelid, n, true)
                FROM generate_series(1, i.indnkeyatts) AS n
            ),
            pg_get_expr(i.indpred, i.indrelid),
            i.indnullsnotdistinct
        FROM pg_index AS i
        WHERE i.indexrelid = %s::regclass
        """,
        quote(index),
    )
    conditions = [condition] if condition else []
    if not nulls_not_distinct:
        conditions += [f"({column}) IS NOT NULL" for column in columns]
    keys = ", ".join(f"({column})" for column in columns)
    [[duplicated, surplus]] = fetch(
        connection,
        f"SELECT count(*), coalesce(sum(n) - count(*), 0) FROM ("  # noqa: S608 (quoted)
        f" SELECT count(*) AS n FROM {quote(table)}"
        + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
        + f" GROUP BY {keys} HAVING count(*) > 1) AS duplicates",
    )
    return int(duplicated), int(surplus), ", ".join(columns)


def _from_using(definition: str) -> str:
    return definition.split(" USING ", 1)[1]
