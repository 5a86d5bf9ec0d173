"""A unique constraint for a busy table, in phases, and the way back."""

from typing import Any

from django.contrib.postgres.operations import NotInTransactionMixin
from django.db import IntegrityError, transaction
from django.db.migrations.operations import RemoveConstraint
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.models import Model, UniqueConstraint
from django.db.utils import DatabaseError

from core.online_catalogue import (
    OnlineChangeError,
    count_duplicates,
    ends_as_index,
    find_constraint,
    find_index,
    unique_index_sql,
    wanted_definition,
    with_suffix,
)
from core.online_waiting import lock_timeout, wait_for_older_transactions


def drop_index(editor: Any, name: str) -> None:
    """Drop the index, valid or not, in nobody's way."""
    sql = f"DROP INDEX CONCURRENTLY IF EXISTS {editor.quote_name(name)}"
    if editor.collect_sql:
        editor.execute(sql, params=None)
        return
    with lock_timeout(editor.connection, "0"):
        editor.execute(sql, params=None)


def drop_constraint(editor: Any, table: str, name: str) -> None:
    """Under a strong lock, held for a moment."""
    quote = editor.quote_name
    editor.execute(
        f"ALTER TABLE {quote(table)} DROP CONSTRAINT IF EXISTS {quote(name)}", params=None
    )


def build_unique_index(
    editor: Any, model: type[Model], constraint: UniqueConstraint, name: str
) -> None:
    """Have a valid unique index for the constraint under this name, whatever was there before.

    Raises OnlineChangeError for duplicates, or if the name is taken by something else.
    """
    sql = unique_index_sql(editor, model, constraint, name)
    if editor.collect_sql:
        editor.execute(sql, params=None)
        return
    connection, table = editor.connection, model._meta.db_table
    found = find_index(connection, table, name)
    if found is not None and found.table != table:
        raise OnlineChangeError(f"There is an index {name} already, on {found.table}.")
    if found is not None and not found.is_valid:
        # It speeds nothing up, and yet refuses duplicates.
        drop_index(editor, name)
        found = None
    if found is not None:
        if not found.is_unique or found.definition != wanted_definition(connection, table, sql):
            raise OnlineChangeError(
                f"There is an index {name} on {table} already, which isn't the one that was asked"
                f" for: it is {'' if found.is_unique else 'not '}unique, USING {found.definition}."
                " Drop it, or choose another name."
            )
        return
    try:
        with lock_timeout(connection, "0"):
            editor.execute(sql, params=None)
    except IntegrityError:
        keys, surplus, columns = count_duplicates(connection, table, name)
        drop_index(editor, name)
        raise OnlineChangeError(
            f"{table} has duplicates: {keys} keys ({columns}) are there more than once, in"
            f" {surplus} rows too many. Nothing has changed. Remove them first;"
            " core.online.ArchiveDuplicates does it while the table is in use."
        ) from None
    except DatabaseError:
        if connection.is_usable():
            drop_index(editor, name)
        raise


class UniqueOperation(NotInTransactionMixin, Operation):
    """What the steps towards a unique constraint share."""

    category = OperationCategory.ADDITION

    def __init__(self, model_name: str, constraint: UniqueConstraint) -> None:
        self.model_name = model_name
        self.constraint = constraint

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        arguments = {"model_name": self.model_name, "constraint": self.constraint}
        return self.__class__.__name__, [], arguments

    def state_forwards(self, app_label: str, state: Any) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = self._model(app_label, schema_editor, to_state)
        if model is not None:
            self.forwards(schema_editor, model)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = self._model(app_label, schema_editor, to_state)
        if model is not None:
            self.backwards(schema_editor, model)

    def _model(self, app_label: str, editor: Any, state: Any) -> type[Model] | None:
        self._ensure_not_in_transaction(editor)
        model: type[Model] = state.apps.get_model(app_label, self.model_name)
        return model if self.allow_migrate_model(editor.connection.alias, model) else None

    def forwards(self, editor: Any, model: type[Model]) -> None:
        raise NotImplementedError

    def backwards(self, editor: Any, model: type[Model]) -> None:
        raise NotImplementedError

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_{self.constraint.name.lower()}"


class AddUniqueIndex(UniqueOperation):
    """Phase 2: a unique index under the constraint's name, built while the table is in use.

    Where PostgreSQL knows no such constraint (a condition, expressions, INCLUDE, operator classes)
    this is the last phase, after which Django's state has the constraint.
    """

    def describe(self) -> str:
        return f"Build unique index {self.constraint.name} on {self.model_name} concurrently"

    def state_forwards(self, app_label: str, state: Any) -> None:
        if ends_as_index(self.constraint):
            state.add_constraint(app_label, self.model_name.lower(), self.constraint)

    def forwards(self, editor: Any, model: type[Model]) -> None:
        build_unique_index(editor, model, self.constraint, self.constraint.name)

    def backwards(self, editor: Any, model: type[Model]) -> None:
        name, table = self.constraint.name, model._meta.db_table
        if not editor.collect_sql:
            # Left by a phase 3 that was killed before it was noted as applied or as reversed.
            if find_constraint(editor.connection, table, name) is not None:
                drop_constraint(editor, table, name)
            drop_index(editor, with_suffix(name, "twin"))
        drop_index(editor, name)


class AttachUniqueIndex(UniqueOperation):
    """Phase 3: the index of phase 2 becomes the constraint, under a strong lock for a moment.

    Backwards another unique index takes over first, so that there are no duplicates then either.
    """

    def __init__(self, model_name: str, constraint: UniqueConstraint) -> None:
        if ends_as_index(constraint):
            raise TypeError(
                f"{constraint.name} can only be a unique index to PostgreSQL:"
                " AddUniqueIndex is all that it needs."
            )
        super().__init__(model_name, constraint)

    def describe(self) -> str:
        return f"Make unique index {self.constraint.name} a constraint of {self.model_name}"

    def state_forwards(self, app_label: str, state: Any) -> None:
        state.add_constraint(app_label, self.model_name.lower(), self.constraint)

    def forwards(self, editor: Any, model: type[Model]) -> None:
        name, table = self.constraint.name, model._meta.db_table
        quote = editor.quote_name
        deferrable = editor._deferrable_constraint_sql(self.constraint.deferrable)
        sql = (
            f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(name)}"
            f" UNIQUE USING INDEX {quote(name)}{deferrable}"
        )
        if editor.collect_sql:
            editor.execute(sql, params=None)
            return
        if find_constraint(editor.connection, table, name) is None:
            index = find_index(editor.connection, table, name)
            if index is None or not index.is_valid:
                raise OnlineChangeError(
                    f"{table} has no valid index {name} yet: AddUniqueIndex comes first."
                )
            editor.execute(sql, params=None)
        drop_index(editor, with_suffix(name, "twin"))

    def backwards(self, editor: Any, model: type[Model]) -> None:
        name, table = self.constraint.name, model._meta.db_table
        twin = with_suffix(name, "twin")
        quote = editor.quote_name
        exists = editor.collect_sql or find_constraint(editor.connection, table, name)
        if not exists:
            build_unique_index(editor, model, self.constraint, name)
            return
        build_unique_index(editor, model, self.constraint, twin)
        with transaction.atomic(using=editor.connection.alias):
            drop_constraint(editor, table, name)
            editor.execute(f"ALTER INDEX {quote(twin)} RENAME TO {quote(name)}", params=None)


class DropUniqueConstraint(NotInTransactionMixin, RemoveConstraint):
    """Drop a unique constraint that functions infer in ON CONFLICT, once nobody does any more.

    An earlier migration has replaced those functions. A transaction that is older than that may
    still be inside one, and would fail without the constraint: it is waited for. Backwards the
    constraint comes back as it came, in phases.
    """

    model_name: str
    name: str

    def describe(self) -> str:
        return f"Drop unique constraint {self.name} of {self.model_name} when no one infers it"

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        model, constraint = self._find(app_label, schema_editor, from_state)
        if model is None:
            return
        if not schema_editor.collect_sql:
            wait_for_older_transactions(
                schema_editor.connection,
                f"{self.name} goes when the transactions have ended that may need it",
            )
        if ends_as_index(constraint):
            drop_index(schema_editor, self.name)
        else:
            drop_constraint(schema_editor, model._meta.db_table, self.name)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        model, constraint = self._find(app_label, schema_editor, to_state)
        if model is None:
            return
        AddUniqueIndex(self.model_name, constraint).forwards(schema_editor, model)
        if not ends_as_index(constraint):
            AttachUniqueIndex(self.model_name, constraint).forwards(schema_editor, model)

    def _find(
        self, app_label: str, editor: Any, state: Any
    ) -> tuple[type[Model] | None, UniqueConstraint]:
        """The model, None where it isn't ours to migrate, and the constraint."""
        model = state.apps.get_model(app_label, self.model_name)
        constraint = state.models[app_label, self.model_name.lower()].get_constraint_by_name(
            self.name
        )
        allowed = self.allow_migrate_model(editor.connection.alias, model)
        return (model if allowed else None), constraint
