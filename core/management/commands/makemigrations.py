"""`makemigrations` that knows about models, triggers and the stored logic in `sql/`."""

from typing import Any

from django.core.management.commands import makemigrations
from django.db.migrations import Migration
from django_migrate_sql.operations import BaseAlterSQL

from core.autodetector import Autodetector
from core.online import SelfTest


def try_stored_logic(migration: Any) -> None:
    """Have a migration that changes functions end with SelfTest, any other without one."""
    operations = [o for o in migration.operations if not isinstance(o, SelfTest)]
    if any(isinstance(operation, BaseAlterSQL) for operation in operations):
        operations.append(SelfTest())
    migration.operations = operations


class Command(makemigrations.Command):
    autodetector = Autodetector

    def write_migration_files(self, changes: dict[str, list[Migration]], *args: Any) -> None:
        for migrations in changes.values():
            for migration in migrations:
                try_stored_logic(migration)
        super().write_migration_files(changes, *args)
