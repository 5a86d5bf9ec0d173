"""What Django's `Meta.constraints` lacks: composite references, and who may touch a table."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.ddl_references import Statement
from django.db.models import BaseConstraint, Model, UniqueConstraint


class SqlConstraint(BaseConstraint):
    """A constraint given by two SQL statements; Django's migrations add and remove it."""

    def statement_to_create(self, table: str) -> str:
        raise NotImplementedError

    def statement_to_remove(self, table: str) -> str:
        raise NotImplementedError

    # The stubs' signatures aren't Django's, hence Any.

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """Within CREATE TABLE: nothing inline; run once all tables of the migration exist."""
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return None

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return Statement(self.statement_to_create(model._meta.db_table).replace("%", "%%"))

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return Statement(self.statement_to_remove(model._meta.db_table).replace("%", "%%"))

    def validate(
        self, model: type[Model], instance: Model, exclude: Any = None, using: str = "default"
    ) -> None:
        """Nothing to validate in Python: the database decides."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SqlConstraint):
            return NotImplemented
        return bool(self.deconstruct() == other.deconstruct())

    def __hash__(self) -> int:
        return hash(self.name)


class Reference(SqlConstraint):
    """A foreign key over columns, checked at once rather than at commit.

    `columns` on this table refer to `to_columns` of `to`; between tenant tables the first is
    customer_id, so that no row can point at another tenant's.
    """

    def __init__(
        self, *, name: str, columns: Sequence[str], to: str, to_columns: Sequence[str]
    ) -> None:
        super().__init__(name=name)
        self.columns = tuple(columns)
        self.to = to
        self.to_columns = tuple(to_columns)

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        kwargs |= {"columns": self.columns, "to": self.to, "to_columns": self.to_columns}
        return path, args, kwargs

    def statement_to_create(self, table: str) -> str:
        return (
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{self.name}"'
            f" FOREIGN KEY ({', '.join(self.columns)})"
            f' REFERENCES "{self.to}" ({", ".join(self.to_columns)})'
        )

    def statement_to_remove(self, table: str) -> str:
        return f'ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{self.name}"'


class TableAccess(SqlConstraint):
    """Row-level security with one policy per role, and what each role may do.

    `tenant` and `platform` are privileges ("SELECT, INSERT"; "" for none). `visible_if` is what a
    row must satisfy for the tenant role. The owner needs a policy of its own: RLS is FORCEd, and
    without one its backfills and SECURITY DEFINER functions would silently see nothing.
    """

    def __init__(self, *, name: str, tenant: str, platform: str, visible_if: str) -> None:
        super().__init__(name=name)
        self.tenant = tenant
        self.platform = platform
        self.visible_if = visible_if

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        kwargs |= {
            "tenant": self.tenant,
            "platform": self.platform,
            "visible_if": self.visible_if,
        }
        return path, args, kwargs

    def statement_to_create(self, table: str) -> str:
        statements = [
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
            f'CREATE POLICY owner_all ON "{table}" TO claimdrift_owner'
            f" USING (true) WITH CHECK (true)",
            f'CREATE POLICY platform_all ON "{table}" TO claimdrift_platform'
            f" USING (true) WITH CHECK (true)",
            f'CREATE POLICY tenant_isolation ON "{table}" TO claimdrift_tenant'
            f" USING ({self.visible_if}) WITH CHECK ({self.visible_if})",
        ]
        for role in ("tenant", "platform"):
            if privileges := getattr(self, role):
                statements.append(f'GRANT {privileges} ON "{table}" TO claimdrift_{role}')
        return "; ".join(statements)

    def statement_to_remove(self, table: str) -> str:
        return "; ".join(
            [
                f'REVOKE ALL ON "{table}" FROM claimdrift_tenant, claimdrift_platform',
                f'DROP POLICY IF EXISTS tenant_isolation ON "{table}"',
                f'DROP POLICY IF EXISTS platform_all ON "{table}"',
                f'DROP POLICY IF EXISTS owner_all ON "{table}"',
                f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
                f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
            ]
        )


# The subselect makes it an init plan, evaluated once per statement instead of once per row.
OWN_CUSTOMER = "customer_id = (SELECT tenancy.current_customer_id())"
READ = "SELECT"
EDIT = "SELECT, INSERT, UPDATE, DELETE"


def tenant_table(table: str, *, tenant: str = READ, platform: str = READ) -> list[BaseConstraint]:
    """What every tenant table has: a composite key to refer to, its customer, its access."""
    return [
        UniqueConstraint(fields=["customer", "id"], name=f"{table}_customer_id_key"),
        Reference(
            name=f"{table}_customer_fk", columns=["customer_id"], to="customer", to_columns=["id"]
        ),
        TableAccess(
            name=f"{table}_access", tenant=tenant, platform=platform, visible_if=OWN_CUSTOMER
        ),
    ]


def refers_to(table: str, column: str, to: str) -> Reference:
    """`table.column` refers to a row of `to` that belongs to the same customer."""
    return Reference(
        name=f"{table}_{column.removesuffix('_id')}_fk",
        columns=["customer_id", column],
        to=to,
        to_columns=["customer_id", "id"],
    )
