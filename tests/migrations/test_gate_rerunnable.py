"""A migration that isn't atomic holds only operations that can be run again, both ways.

It isn't noted as applied before its end. Whatever ends it earlier leaves what it has done.
"""

from importlib import import_module
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import Migration
from django.db.models import Index
from django_pg_migration_tools import operations as tools

from core import online
from core.online_unique import UniqueOperation
from tests.migrations.chain import ours

RERUNNABLE = (
    UniqueOperation,
    online.AddNotValid,
    online.DropUniqueConstraint,
    online.Validate,
    tools.SaferAddIndexConcurrently,
    tools.SaferRemoveIndexConcurrently,
    tools.SaferAlterFieldSetNotNull,
)


def once_only(migration: Any) -> list[str]:
    if migration.atomic:
        return []
    return [str(o.describe()) for o in migration.operations if not isinstance(o, RERUNNABLE)]


@pytest.mark.parametrize("migration", ours(), ids=lambda m: m.name)
def test_a_migration_is_atomic_or_can_be_run_again(migration: Migration) -> None:
    assert once_only(migration) == []


def test_djangos_own_index_operation_would_be_found() -> None:
    """Killed, it leaves an INVALID index; run again, it fails because that is there."""
    migration: Any = Migration("0099_test", "core")
    migration.atomic = False
    migration.operations = [AddIndexConcurrently("claim", Index(fields=["cpt"], name="claim_idx"))]

    assert len(once_only(migration)) == 1


def test_the_migrations_of_the_ledger_pass() -> None:
    """Those on which all of this is tried: tests/migrations/test_recipe.py."""
    for name in ("0002_key_index", "0003_guard", "0004_archive", "0005_unique_index"):
        module = import_module(f"perf.ledger.migrations.{name}")
        assert once_only(module.Migration(name, "ledger")) == []
