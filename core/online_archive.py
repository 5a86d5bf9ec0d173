"""Where removed duplicates go: the archive's tables, one batch there, one batch back.

Writers are never made to wait for what waits itself: a batch skips rows that somebody has locked,
or gives up at once. So it is never part of a deadlock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model, UniqueConstraint

from core.online_catalogue import OnlineChangeError, fetch, with_suffix
from core.online_children import Child, follow_statements, unfollow_statements
from core.online_guard import RESTORING, key_columns, pk_column


@dataclass
class Archive:
    """The archive of one constraint's duplicates, by the session that migrates.

    `keep` is what the rows of one key are ordered by; the first is the one to keep.
    """

    connection: Any
    model: type[Model]
    constraint: UniqueConstraint
    children: Sequence[Child]
    keep: Sequence[str] = ()

    def __post_init__(self) -> None:
        quote = self.connection.ops.quote_name
        self.rows = quote(with_suffix(self.constraint.name, "archive"))
        self.moves = quote(with_suffix(self.constraint.name, "moves"))
        self.table = quote(self.model._meta.db_table)
        self.pk = quote(pk_column(self.model))
        self.keys = ", ".join(quote(c) for c in key_columns(self.model, self.constraint))

    def exists(self) -> bool:
        [[found]] = fetch(self.connection, "SELECT to_regclass(%s) IS NOT NULL", self.rows)
        return bool(found)

    def create(self) -> None:
        """Its tables, and triggers by which new children of a removed row go to the one kept."""
        self._in_one(
            f"CREATE TABLE IF NOT EXISTS {self.rows} (id bigint PRIMARY KEY, kept_id bigint"
            " NOT NULL, archived_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
            " content jsonb NOT NULL)",
            f"CREATE TABLE IF NOT EXISTS {self.moves} (child_table text, child_column text,"
            " child_id bigint, from_id bigint NOT NULL, to_id bigint NOT NULL,"
            " PRIMARY KEY (from_id, child_table, child_column, child_id))",
        )
        archive = with_suffix(self.constraint.name, "archive")
        # One table's lock at a time: writers come to several in an order of their own.
        for child in self.children:
            self._in_one(
                *follow_statements(
                    self.connection,
                    self.constraint.name,
                    self.model._meta.db_table,
                    pk_column(self.model),
                    archive,
                    child,
                )
            )

    def stop_following(self) -> None:
        for child in self.children:
            self._in_one(*unfollow_statements(self.connection, self.constraint.name, child))

    def drop(self) -> None:
        self._in_one(f"DROP TABLE IF EXISTS {self.rows}, {self.moves}")

    def find_duplicates(self, limit: int) -> list[list[int]]:
        """The ids of rows that share a key, for at most so many keys."""
        nulls = ""
        if self.constraint.nulls_distinct is not False:
            nulls = f"WHERE num_nulls({self.keys}) = 0"
        return [
            ids
            for (ids,) in fetch(
                self.connection,
                f"SELECT array_agg({self.pk} ORDER BY {self.pk}) FROM {self.table} {nulls}"  # noqa: S608
                f" GROUP BY {self.keys} HAVING count(*) > 1 ORDER BY min({self.pk}) LIMIT %s",
                limit,
            )
        ]

    def remove(self, groups: list[list[int]]) -> int:
        """Archive all rows of each group but the one to keep; children follow that one.

        Groups of which somebody else has locked a row are left as they are. Returns how many rows
        went. Raises OperationalError when somebody is changing one of their children.
        """
        try:
            with transaction.atomic(using=self.connection.alias):
                return self._remove(groups)
        except IntegrityError as error:
            raise self._explained(error, "can't go to the archive") from None

    def _remove(self, groups: list[list[int]]) -> int:
        locked = self._lock(self.table, self.pk, [i for g in groups for i in g], "SKIP LOCKED")
        whole = [i for group in groups if locked.issuperset(group) for i in group]
        # Read again: until the lock their keys may have been changed.
        pairs = fetch(
            self.connection,
            f"SELECT id, kept_id FROM (SELECT {self.pk} AS id,"  # noqa: S608 (quoted)
            f" first_value({self.pk}) OVER w AS kept_id FROM {self.table}"
            f" WHERE {self.pk} = ANY(%s) WINDOW w AS (PARTITION BY {self.keys}"
            f" ORDER BY {', '.join([*self.keep, f'{self.pk} DESC'])})) AS ranked"
            " WHERE id <> kept_id ORDER BY id",
            whole,
        )
        if not pairs:
            return 0
        removed, kept = (list(column) for column in zip(*pairs, strict=True))
        for child in self.children:
            ids = self._lock(child.table, child.column, removed, "NOWAIT", child.pk)
            if ids:
                self._move(child, removed, kept, sorted(ids))
        [[archived]] = fetch(
            self.connection,
            f"WITH archived AS (INSERT INTO {self.rows} (id, kept_id, content)"  # noqa: S608
            f" SELECT p.id, p.kept_id, to_jsonb(removed_row) FROM {self.table} AS removed_row"
            " JOIN unnest(%s::bigint[], %s::bigint[]) AS p (id, kept_id)"
            f" ON p.id = removed_row.{self.pk}"
            " RETURNING id), deleted AS"
            f" (DELETE FROM {self.table} WHERE {self.pk} = ANY(%s) RETURNING {self.pk})"
            " SELECT count(*) FROM archived JOIN deleted"
            f" ON deleted.{self.pk} = archived.id",
            removed,
            kept,
            removed,
        )
        if archived != len(removed):
            raise OnlineChangeError(
                f"{len(removed)} duplicates of {self.constraint.name} were to be archived, and"
                f" {archived} would have been. Nothing of it was done: does a trigger or a policy"
                " hide rows from the owner?"
            )
        return len(removed)

    def _lock(
        self, table: str, column: str, values: list[int], wait: str, pk: str | None = None
    ) -> set[int]:
        pk = pk or column
        rows = fetch(
            self.connection,
            f"SELECT {pk} FROM {table} WHERE {column} = ANY(%s)"  # noqa: S608 (quoted)
            f" ORDER BY {pk} FOR UPDATE {wait}",
            values,
        )
        return {i for (i,) in rows}

    def _move(self, child: Child, removed: list[int], kept: list[int], ids: list[int]) -> None:
        fetch(
            self.connection,
            f"INSERT INTO {self.moves} SELECT %s, %s, c.{child.pk}, p.id, p.kept_id"  # noqa: S608
            f" FROM {child.table} AS c JOIN unnest(%s::bigint[], %s::bigint[]) AS p (id, kept_id)"
            f" ON p.id = c.{child.column} WHERE c.{child.pk} = ANY(%s)",
            child.table,
            child.column,
            removed,
            kept,
            ids,
        )
        fetch(
            self.connection,
            f"UPDATE {child.table} AS c SET {child.column} = m.to_id"  # noqa: S608 (quoted)
            f" FROM {self.moves} AS m WHERE m.child_table = %s AND m.child_column = %s"
            f" AND m.child_id = c.{child.pk} AND m.from_id = ANY(%s)"
            f" AND c.{child.column} = m.from_id",
            child.table,
            child.column,
            removed,
        )

    def restore(self, limit: int) -> int:
        """Put so many rows back as they were, with the children that were theirs.

        Children that have moved on since, or are gone, stay as they are. Returns how many rows came
        back. Raises OperationalError when somebody is changing one of the children.
        """
        try:
            with transaction.atomic(using=self.connection.alias):
                return self._restore(limit)
        except IntegrityError as error:
            raise self._explained(error, "can't come back from the archive") from None

    def _restore(self, limit: int) -> int:
        fetch(self.connection, "SELECT set_config(%s, 'on', true)", RESTORING)
        columns = [
            self.connection.ops.quote_name(name)
            for (name,) in fetch(
                self.connection,
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
                self.table,
            )
        ]
        taken = fetch(
            self.connection,
            f"DELETE FROM {self.rows} WHERE id IN (SELECT id FROM {self.rows}"  # noqa: S608
            " ORDER BY id LIMIT %s) RETURNING id, content::text",
            limit,
        )
        ids = [i for i, _ in taken]
        fetch(
            self.connection,
            f"INSERT INTO {self.table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE"  # noqa: S608
            f" SELECT {', '.join(f'r.{column}' for column in columns)}"
            " FROM unnest(%s::jsonb[]) AS a (content)"
            f" CROSS JOIN LATERAL jsonb_populate_record(NULL::{self.table}, a.content) AS r",
            [content for _, content in taken],
        )
        for child in self.children:
            moves = (
                f"{self.moves} AS m WHERE m.child_table = %s AND m.child_column = %s"
                f" AND m.from_id = ANY(%s) AND m.child_id = c.{child.pk}"
                f" AND m.to_id = c.{child.column}"
            )
            theirs = (child.table, child.column, ids)
            fetch(
                self.connection,
                f"SELECT FROM {child.table} AS c"  # noqa: S608 (quoted)
                f" WHERE EXISTS (SELECT FROM {moves}) ORDER BY c.{child.pk} FOR UPDATE NOWAIT",
                *theirs,
            )
            fetch(
                self.connection,
                f"UPDATE {child.table} AS c SET {child.column} = m.from_id"  # noqa: S608 (quoted)
                f" FROM {moves}",
                *theirs,
            )
        fetch(self.connection, f"DELETE FROM {self.moves} WHERE from_id = ANY(%s)", ids)  # noqa: S608
        return len(ids)

    def _explained(self, error: IntegrityError, what: str) -> OnlineChangeError:
        """Without the values that the database's own message holds."""
        diagnosis: Any = getattr(error.__cause__, "diag", None)
        return OnlineChangeError(
            f"Duplicates of {self.table} {what}: {diagnosis.constraint_name} of"
            f" {diagnosis.table_name} is in the way. What was done before stays done."
        )

    def _in_one(self, *statements: str) -> None:
        with transaction.atomic(using=self.connection.alias):
            for statement in statements:
                fetch(self.connection, statement)
