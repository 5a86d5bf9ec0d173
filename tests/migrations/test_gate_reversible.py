"""Every migration of ours can be reversed; those of procrastinate can't, which is its choice."""

from typing import Any

import pytest
from django.db import migrations
from django.db.migrations import Migration
from django_migrate_sql.operations import AlterSQL, BaseAlterSQL

from tests.migrations.chain import functions, loader, ours


def irreversible(migration: Any) -> list[str]:
    return [str(o.describe()) for o in migration.operations if not o.reversible]


@pytest.mark.parametrize("migration", ours(), ids=lambda m: m.name)
def test_each_operation_has_a_reverse(migration: Migration) -> None:
    assert irreversible(migration) == []


def test_one_without_would_be_found() -> None:
    migration: Any = Migration("0099_test", "core")
    migration.operations = [migrations.RunSQL("SELECT 1"), migrations.RunPython(print)]

    assert len(irreversible(migration)) == 2


def test_only_procrastinates_own_migrations_have_none() -> None:
    apps = {m.app_label for m in loader().graph.nodes.values() if m and irreversible(m)}

    assert apps == {"procrastinate"}


def test_the_reverse_of_a_changed_function_is_the_text_that_was_there_before() -> None:
    former: dict[str, Any] = {}
    for migration in ours():
        for operation in functions(migration):
            if isinstance(operation, AlterSQL):
                assert operation.reverse_sql == former[name_of(operation)], operation.describe()
            former[name_of(operation)] = operation.sql


def name_of(operation: BaseAlterSQL) -> str:
    return str(operation.name)
