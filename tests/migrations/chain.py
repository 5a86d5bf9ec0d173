"""Our migrations in their order, as the gates look at them."""

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.db import connections
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django_migrate_sql.operations import BaseAlterSQL

# Made when there was no database yet that they could have kept waiting.
BEFORE_ANY_DATABASE = "0011"


@cache
def loader() -> MigrationLoader:
    return MigrationLoader(None, ignore_no_migrations=True)


def ours() -> list[Migration]:
    """All of core's, the first first."""
    graph = loader().graph
    [leaf] = graph.leaf_nodes("core")
    return [graph.nodes[key] for key in graph.forwards_plan(leaf) if key[0] == "core"]


def recent() -> list[Migration]:
    """Those that meet databases with data and traffic."""
    return [m for m in ours() if m.name[:4] > BEFORE_ANY_DATABASE]


def functions(migration: Any) -> Iterator[BaseAlterSQL]:
    """Its operations on the stored logic."""
    return (o for o in migration.operations if isinstance(o, BaseAlterSQL))


def exceptions(migration: Migration) -> dict[str, str]:
    """Which of squawk's rules it breaks, and why: its module's SQUAWK_EXCEPTIONS."""
    module = sys.modules[type(migration).__module__]
    found: dict[str, str] = getattr(module, "SQUAWK_EXCEPTIONS", {})
    return found


@cache
def recent_sql() -> dict[str, str]:
    """What `sqlmigrate` shows of the recent ones, by name; as the migrator."""
    connection = connections["default"]
    collecting = MigrationLoader(connection, replace_migrations=False)
    graph = collecting.graph
    [leaf] = graph.leaf_nodes("core")
    state = ProjectState(real_apps=collecting.unmigrated_apps)
    texts = {}
    # One state for all of them: to make it anew for each takes seconds.
    for key in graph.forwards_plan(leaf):
        migration = graph.nodes[key]
        if key[0] != "core" or key[1][:4] <= BEFORE_ANY_DATABASE:
            state = migration.mutate_state(state, preserve=False)
            continue
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            state = migration.apply(state, editor, collect_sql=True)
        lines: list[str] = editor.collected_sql
        if migration.atomic:
            lines = ["BEGIN;", *lines, "COMMIT;"]
        texts[migration.name] = "\n".join(lines)
    return texts
