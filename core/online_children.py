"""Rows that refer to duplicates: which they are, and how late ones follow the row that was kept."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.online_catalogue import OnlineChangeError, fetch, with_suffix

_FOLLOW = """
CREATE OR REPLACE FUNCTION {function}()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $follow$
DECLARE
    v_kept public.{archive}.kept_id%TYPE;
BEGIN
    -- Waits for the batch that is removing it.
    PERFORM FROM public.{table} AS t WHERE t.{pk} = NEW.{column} FOR KEY SHARE;
    IF NOT FOUND THEN
        SELECT a.kept_id INTO v_kept FROM public.{archive} AS a WHERE a.id = NEW.{column};
        NEW.{column} := coalesce(v_kept, NEW.{column});
    END IF;
    RETURN NEW;
END;
$follow$
"""


@dataclass(frozen=True)
class Child:
    """A column that holds ids of another table, and what its rows are known by; all quoted."""

    table: str
    column: str
    pk: str

    def function(self, name: str) -> str:
        """Function and trigger by which it follows, for the constraint of this name."""
        digest = hashlib.sha256(f"{self.table}.{self.column}".encode()).hexdigest()[:8]
        return with_suffix(name, f"follow_{digest}")


def find_children(
    connection: Any, table: str, pk: str, extra: Iterable[tuple[str, str]]
) -> list[Child]:
    """All columns that refer to the table by a foreign key, and those given beside.

    Raises OnlineChangeError for one whose rows couldn't be made to follow.
    """
    quote = connection.ops.quote_name
    found: Sequence[tuple[Any, ...]] = fetch(
        connection,
        """
        SELECT
            c.conrelid::regclass::text,
            (
                SELECT a.attname FROM pg_attribute AS a
                JOIN pg_attribute AS p ON p.attrelid = c.confrelid AND p.attname = %s
                WHERE
                    a.attrelid = c.conrelid
                    AND a.attnum = c.conkey[array_position(c.confkey, p.attnum)]
            )
        FROM pg_constraint AS c WHERE c.contype = 'f' AND c.confrelid = %s::regclass
        """,
        pk,
        quote(table),
    )
    [[own_name]] = fetch(connection, "SELECT %s::regclass::text", quote(table))
    for other, column in extra:
        [[name]] = fetch(connection, "SELECT %s::regclass::text", quote(other))
        found = [*found, (name, column)]
    children = []
    for name, column in dict.fromkeys(found):
        keys = fetch(
            connection,
            "SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a"
            " ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
            " WHERE i.indisprimary AND i.indrelid = %s::regclass",
            name,
        )
        if name == own_name or column is None or len(keys) != 1:
            raise OnlineChangeError(
                f"{name} refers to {table} from within, or by something else than its id, or has"
                " no primary key of one column: its rows can't be made to follow."
            )
        children.append(Child(name, quote(column), quote(keys[0][0])))
    return children


def follow_statements(
    connection: Any, name: str, table: str, pk: str, archive: str, child: Child
) -> list[str]:
    """Have new rows of the child for an archived row refer to the one kept in its place.

    None where they do already: a trigger is created under a lock that writers wait for.
    """
    found = fetch(
        connection,
        "SELECT 1 FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass",
        child.function(name),
        child.table,
    )
    if found:
        return []
    quote = connection.ops.quote_name
    function = quote(child.function(name))
    return [
        _FOLLOW.format(
            function=function,
            archive=quote(archive),
            table=quote(table),
            pk=quote(pk),
            column=child.column,
        ),
        f"REVOKE ALL ON FUNCTION {function}() FROM PUBLIC",
        f"CREATE OR REPLACE TRIGGER {function}"
        f" BEFORE INSERT OR UPDATE OF {child.column} ON {child.table} FOR EACH ROW"
        f" WHEN (NEW.{child.column} IS NOT NULL) EXECUTE FUNCTION {function}()",
    ]


def unfollow_statements(connection: Any, name: str, child: Child) -> list[str]:
    function = connection.ops.quote_name(child.function(name))
    return [
        f"DROP TRIGGER IF EXISTS {function} ON {child.table}",
        f"DROP FUNCTION IF EXISTS {function}()",
    ]
