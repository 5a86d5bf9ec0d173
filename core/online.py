"""Migration operations that change a busy table while everybody goes on reading and writing.

docs/migrations.md says when to use which. All of them are reversible, and can be run again over
whatever an earlier run left that was killed, forwards and backwards. They belong in migrations with
`atomic = False`, except SelfTest, which belongs at the end of an atomic one.
"""

from typing import Any

from django.db import NotSupportedError
from django.db.migrations.operations.base import Operation, OperationCategory

from core.online_catalogue import OnlineChangeError
from core.online_checks import AddNotValid, Validate
from core.online_duplicates import ArchiveDuplicates, UnguardUnique
from core.online_guard import GuardUnique
from core.online_unique import AddUniqueIndex, AttachUniqueIndex, DropUniqueConstraint

__all__ = [
    "AddNotValid",
    "AddUniqueIndex",
    "ArchiveDuplicates",
    "AttachUniqueIndex",
    "DropUniqueConstraint",
    "GuardUnique",
    "OnlineChangeError",
    "SelfTest",
    "UnguardUnique",
    "Validate",
]


class SelfTest(Operation):
    """Try the stored logic in the transaction that changes it, so that what fails never shows.

    Forwards `maintenance.self_test()` raises unless a detection on a made-up customer, undone at
    once, ends as it should. Backwards there is nothing to try: the former functions were in use.
    """

    category = OperationCategory.SQL
    reduces_to_sql = True

    def describe(self) -> str:
        return "Try the stored logic"

    def state_forwards(self, app_label: str, state: Any) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if not schema_editor.collect_sql and not schema_editor.connection.in_atomic_block:
            raise NotSupportedError(
                "SelfTest must share a transaction with the functions it tries: it can't be in a"
                " migration with atomic = False."
            )
        schema_editor.execute("SELECT maintenance.self_test()", params=None)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        pass

    @property
    def migration_name_fragment(self) -> str:
        return "self_test"
