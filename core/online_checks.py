"""CHECKs and foreign keys for a busy table: first for new rows, then for all."""

from typing import Any

from django.contrib.postgres.operations import NotInTransactionMixin, ValidateConstraint
from django.db import IntegrityError, transaction
from django.db.migrations.operations import AddConstraint
from django.db.models import CheckConstraint

from core.constraints import Reference
from core.online_catalogue import OnlineChangeError, find_constraint
from core.online_unique import drop_constraint
from core.online_waiting import lock_timeout


class AddNotValid(AddConstraint):
    """Add a CHECK or a foreign key that holds for what is written from now on; see Validate.

    Django's AddConstraintNotValid takes no foreign keys, and fails when it is run again.
    """

    model_name: str
    constraint: CheckConstraint | Reference

    def __init__(self, model_name: str, constraint: CheckConstraint | Reference) -> None:
        if not isinstance(constraint, CheckConstraint | Reference):
            raise TypeError("AddNotValid.constraint must be a CheckConstraint or a Reference.")
        super().__init__(model_name, constraint)

    def describe(self) -> str:
        return f"Add constraint {self.constraint.name} to {self.model_name}, not valid yet"

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        table, name = model._meta.db_table, self.constraint.name
        # Django's SQL of constraints has its values in it, and no parameters.
        sql = f"{self.constraint.create_sql(model, schema_editor)} NOT VALID"
        if schema_editor.collect_sql:
            schema_editor.execute(sql, params=None)
        elif find_constraint(schema_editor.connection, table, name) is None:
            with transaction.atomic(using=schema_editor.connection.alias):
                if isinstance(self.constraint, Reference):
                    # Both are locked; first the one that writers come to first.
                    to = schema_editor.quote_name(self.constraint.to)
                    schema_editor.execute(f"LOCK TABLE {to} IN SHARE ROW EXCLUSIVE MODE")
                schema_editor.execute(sql, params=None)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            drop_constraint(schema_editor, model._meta.db_table, self.constraint.name)

    @property
    def migration_name_fragment(self) -> str:
        return f"{super().migration_name_fragment}_not_valid"


class Validate(NotInTransactionMixin, ValidateConstraint):
    """Django's, which may wait for its weak lock, and says what is wrong without a row's values.

    Backwards nothing happens: AddNotValid's reverse drops the constraint, valid or not.
    """

    model_name: str
    name: str

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        # In the transaction that has added it, the strong lock would be held all along.
        self._ensure_not_in_transaction(schema_editor)
        if schema_editor.collect_sql:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        try:
            with lock_timeout(schema_editor.connection, "0"):
                super().database_forwards(app_label, schema_editor, from_state, to_state)
        except IntegrityError:
            table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
            raise OnlineChangeError(
                f"Rows of {table} violate {self.name}. It holds for new ones meanwhile."
                " Correct them, then run migrate again."
            ) from None
