"""A table of the tests' own, with Django's state of it, on which operations are tried."""

from itertools import count
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connections, models
from django.db.migrations.operations import CreateModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import UniqueConstraint

from core.online_catalogue import fetch

NUMBERS = count(1)


class Table:
    """`entry` (customer_id, number, amount, seen) and `note` (entry_id), under names of their own.

    Operations are applied as the migrator, outside any transaction, as a migration with
    `atomic = False` applies them.
    """

    def __init__(self) -> None:
        number = next(NUMBERS)
        self.name = f"online_{number}"
        self.notes = f"online_{number}_note"
        self.key_name = f"{self.name}_key"
        self.connection: Any = connections["default"]
        self.state = ProjectState()
        fields: list[tuple[str, models.Field[Any, Any]]] = [
            ("id", models.BigAutoField(primary_key=True)),
            ("customer_id", models.BigIntegerField()),
            ("number", models.CharField(max_length=20)),
            ("amount", models.DecimalField(max_digits=9, decimal_places=2, null=True)),
            ("seen", models.DateTimeField(null=True)),
        ]
        self.apply(CreateModel("Entry", fields, {"db_table": self.name}))
        self.sql(
            f"CREATE TABLE {self.notes} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            f" entry_id bigint NOT NULL REFERENCES {self.name}, text text NOT NULL DEFAULT '')"
        )

    @property
    def key(self) -> UniqueConstraint:
        return UniqueConstraint(fields=["customer_id", "number"], name=self.key_name)

    def index_key(self) -> None:
        """A plain index on the key, as the guard needs it."""
        index = models.Index(fields=["customer_id", "number"], name=f"{self.name}_idx")
        self.apply(AddIndexConcurrently("entry", index))

    def apply(self, operation: Operation) -> None:
        """Forwards; the state moves on."""
        after = self.state.clone()
        operation.state_forwards("core", after)
        with self.connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("core", editor, self.state, after)
        self.state = after

    def again(self, operation: Operation) -> None:
        """Forwards once more, as after a kill before it was noted: the state is the one before."""
        before, self.state = self.state, self.before(operation)
        self.apply(operation)
        self.state = before

    def before(self, operation: Operation) -> ProjectState:
        """The state without the constraint that the operation adds."""
        state = self.state.clone()
        name = getattr(getattr(operation, "constraint", None), "name", None)
        options = state.models["core", "entry"].options
        options["constraints"] = [c for c in options["constraints"] if c.name != name]
        return state

    def reverse(self, operation: Operation, before: ProjectState | None = None) -> None:
        """Backwards; the state is the one before afterwards."""
        before = before or self.before(operation)
        with self.connection.schema_editor(atomic=False) as editor:
            operation.database_backwards("core", editor, self.state, before)
        self.state = before

    def collected(self, operation: Operation) -> str:
        """What `sqlmigrate` shows of it."""
        after = self.state.clone()
        operation.state_forwards("core", after)
        with self.connection.schema_editor(collect_sql=True, atomic=False) as editor:
            operation.database_forwards("core", editor, self.state, after)
        return "\n".join(editor.collected_sql)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return fetch(self.connection, statement, *parameters)

    def insert(self, *numbers: str, customer_id: int = 1) -> list[int]:
        """The new rows' ids."""
        return [
            self.sql(
                f"INSERT INTO {self.name} (customer_id, number) VALUES (%s, %s) RETURNING id",
                customer_id,
                number,
            )[0][0]
            for number in numbers
        ]

    def indexes(self) -> dict[str, bool]:
        """Unique indexes beside the primary key, and whether each is valid."""
        return dict(
            self.sql(
                "SELECT c.relname, i.indisvalid FROM pg_index AS i"
                " JOIN pg_class AS c ON c.oid = i.indexrelid"
                " WHERE i.indrelid = %s::regclass AND i.indisunique AND NOT i.indisprimary",
                self.name,
            )
        )

    def constraints(self) -> dict[str, str]:
        """Definitions, those of the primary key and NOT NULL apart."""
        return dict(
            self.sql(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conrelid = %s::regclass AND contype NOT IN ('p', 'n')",
                self.name,
            )
        )

    def in_state(self) -> list[str]:
        """Names of the constraints that Django believes in."""
        return [c.name for c in self.state.models["core", "entry"].options["constraints"]]

    def break_index(self) -> None:
        """Leave an INVALID index under the key's name, as a killed build does."""
        [first] = self.insert("twice")
        [second] = self.insert("twice")
        try:
            self.sql(
                f"CREATE UNIQUE INDEX CONCURRENTLY {self.key_name}"
                f" ON {self.name} (customer_id, number)"
            )
        except Exception as error:
            assert "could not create unique index" in str(error)  # noqa: PT017 (either way)
        self.sql(f"DELETE FROM {self.name} WHERE id IN (%s, %s)", first, second)
        assert self.indexes() == {self.key_name: False}

    def drop(self) -> None:
        # A test that failed may have left a transaction open, which is closed after this.
        self.sql("SET lock_timeout = '2s'")
        self.sql(f"DROP TABLE {self.notes}, {self.name} CASCADE")
        # What the operations made beside it: guards and archives, and their functions.
        for kind, name in self.sql(
            "SELECT 'TABLE', oid::regclass::text FROM pg_class"
            " WHERE relkind = 'r' AND starts_with(relname, %s)"
            " UNION ALL"
            " SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc"
            " WHERE starts_with(proname, %s)",
            f"{self.name}_",
            f"{self.name}_",
        ):
            self.sql(f"DROP {kind} {name} CASCADE")
