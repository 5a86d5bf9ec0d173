"""manage.py makemigrations: a migration that changes functions ends with SelfTest."""

from typing import Any

import pytest
from django.db import migrations
from django.db.migrations import Migration
from django_migrate_sql.operations import AlterSQL, AlterSQLState, CreateSQL, DeleteSQL

from core.management.commands.makemigrations import Command
from core.online import SelfTest

FUNCTION = ("drift.severity", "CREATE ...", "DROP ...")
COLUMN = migrations.RemoveField("claim", "cpt")


def written(*operations: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the operations that get into the file."""
    found: list[str] = []

    def write(self: Any, changes: dict[str, list[Any]], *args: Any) -> None:
        found.extend(type(o).__name__ for m in changes["core"] for o in m.operations)

    monkeypatch.setattr(Command.__mro__[1], "write_migration_files", write)
    migration: Any = Migration("0099_test", "core")
    migration.operations = list(operations)
    Command().write_migration_files({"core": [migration]})
    return found


@pytest.mark.parametrize("kind", [CreateSQL, AlterSQL, DeleteSQL])
def test_it_is_the_last_operation(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names = written(kind(*FUNCTION), COLUMN, monkeypatch=monkeypatch)

    assert names == [kind.__name__, "RemoveField", "SelfTest"]


def test_an_updated_migration_keeps_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names = written(SelfTest(), AlterSQL(*FUNCTION), monkeypatch=monkeypatch)

    assert names == ["AlterSQL", "SelfTest"]


def test_nothing_else_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names = written(COLUMN, AlterSQLState("drift.severity"), monkeypatch=monkeypatch)

    assert names == ["RemoveField", "AlterSQLState"]
