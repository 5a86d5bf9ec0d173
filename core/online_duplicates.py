"""Removing the duplicates of a busy table, in batches, to where they can come back from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.migrations.operations.base import OperationCategory
from django.db.models import Model, UniqueConstraint

from core.online_archive import Archive
from core.online_catalogue import OnlineChangeError, find_index
from core.online_children import find_children
from core.online_guard import check_guardable, has_guard, install_guard, pk_column, remove_guard
from core.online_unique import UniqueOperation
from core.online_waiting import PATIENCE_SECONDS, is_lock_failure, pauses

# How many keys are looked for at a time, in one reading of the table.
_KEYS = 50_000


def open_archive(
    editor: Any,
    model: type[Model],
    constraint: UniqueConstraint,
    children: Sequence[tuple[str, str]],
    keep: Sequence[str] = (),
) -> Archive:
    fields: Any = model._meta
    if fields.pk.db_type(editor.connection) not in {"integer", "bigint"}:
        raise OnlineChangeError(
            f"The ids of {fields.db_table} aren't numbers, as the archive needs."
        )
    found = find_children(editor.connection, model._meta.db_table, pk_column(model), children)
    order = [
        editor.quote_name(fields.get_field(name.removeprefix("-")).column)
        + (" DESC NULLS LAST" if name.startswith("-") else " NULLS LAST")
        for name in keep
    ]
    return Archive(editor.connection, model, constraint, found, order)


@contextmanager
def suppress_lock_failures() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if not is_lock_failure(error):
            raise


class ArchiveDuplicates(UniqueOperation):
    """Phase 1 where there are duplicates: keep one row of each key, archive the others.

    Kept is the first by `keep`, columns with a minus for the largest first; ties go to the highest
    id. Rows that refer to a removed one, by any foreign key or by the (table, column) pairs in
    `children`, refer to the one kept from then on; so do those that still come with the id of a
    removed one, until UnguardUnique. Each batch is one transaction: the archive is complete at any
    moment, and a run that was killed is gone on with.

    Backwards all archived rows come back as they were, with the children that were theirs.
    """

    category = OperationCategory.ALTERATION

    def __init__(
        self,
        model_name: str,
        constraint: UniqueConstraint,
        keep: Sequence[str] = ("-id",),
        children: Sequence[tuple[str, str]] = (),
        batch_size: int = 500,
    ) -> None:
        check_guardable(constraint)
        super().__init__(model_name, constraint)
        self.keep = keep
        self.children = children
        self.batch_size = batch_size

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        name, args, kwargs = super().deconstruct()
        kwargs |= {"keep": self.keep, "children": self.children, "batch_size": self.batch_size}
        return name, args, kwargs

    def describe(self) -> str:
        return f"Archive duplicates of {self.constraint.name} in {self.model_name}"

    def forwards(self, editor: Any, model: type[Model]) -> None:
        if editor.collect_sql:
            # It depends on what is there. sqlmigrate shows what it means.
            editor.execute(f"-- Archives the duplicates of {self.constraint.name} in batches.")
            return
        table, name = model._meta.db_table, self.constraint.name
        index = find_index(editor.connection, table, name)
        if index is not None and index.is_valid:
            return
        if not has_guard(editor.connection, table, name):
            raise OnlineChangeError(
                f"Nothing keeps new duplicates out of {table}: GuardUnique comes first."
            )
        archive = open_archive(editor, model, self.constraint, self.children, self.keep)
        archive.create()
        waiting = pauses(PATIENCE_SECONDS)
        while groups := archive.find_duplicates(_KEYS):
            if self._remove(archive, groups):
                waiting = pauses(PATIENCE_SECONDS)
            elif next(waiting, None) is None:
                raise self._gave_up()

    def backwards(self, editor: Any, model: type[Model]) -> None:
        if editor.collect_sql:
            editor.execute(f"-- Brings the duplicates of {self.constraint.name} back in batches.")
            return
        archive = open_archive(editor, model, self.constraint, self.children)
        while archive.exists() and self._restore(archive):
            pass
        archive.stop_following()
        archive.drop()

    def _remove(self, archive: Archive, groups: list[list[int]]) -> int:
        """How many rows went; what somebody has locked is left for the next time."""
        removed = 0
        batch: list[list[int]] = []
        for number, group in enumerate(groups, start=1):
            batch.append(group)
            if sum(map(len, batch)) >= self.batch_size or number == len(groups):
                with suppress_lock_failures():
                    removed += archive.remove(batch)
                batch = []
        return removed

    def _restore(self, archive: Archive) -> int:
        """How many rows came back: 0 when there are no more."""
        for _ in pauses(PATIENCE_SECONDS):
            with suppress_lock_failures():
                return archive.restore(self.batch_size)
        raise self._gave_up()

    def _gave_up(self) -> OnlineChangeError:
        return OnlineChangeError(
            f"Transactions have kept duplicates of {self.constraint.name}, or what refers to them,"
            f" locked for {PATIENCE_SECONDS:.0f} seconds. End them, then run migrate again."
        )


class UnguardUnique(UniqueOperation):
    """Phase 4 where there were duplicates: leave new ones to the index, and forget removed rows.

    Backwards the guard is back, and children follow again. `children` are ArchiveDuplicates'.
    """

    category = OperationCategory.REMOVAL

    def __init__(
        self,
        model_name: str,
        constraint: UniqueConstraint,
        children: Sequence[tuple[str, str]] = (),
    ) -> None:
        check_guardable(constraint)
        super().__init__(model_name, constraint)
        self.children = children

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        name, args, kwargs = super().deconstruct()
        return name, args, kwargs | {"children": self.children}

    def describe(self) -> str:
        return f"Leave duplicates of {self.constraint.name} to its index"

    def forwards(self, editor: Any, model: type[Model]) -> None:
        remove_guard(editor, model._meta.db_table, self.constraint.name)
        if not editor.collect_sql:
            open_archive(editor, model, self.constraint, self.children).stop_following()

    def backwards(self, editor: Any, model: type[Model]) -> None:
        install_guard(editor, model, self.constraint)
        if not editor.collect_sql:
            open_archive(editor, model, self.constraint, self.children).create()
