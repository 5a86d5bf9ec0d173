"""SelfTest: in the transaction that changes the functions, or not at all."""

from typing import Any

import pytest
from django.db import InternalError, NotSupportedError, connections
from django.db.migrations.state import ProjectState

from core.online import SelfTest
from tests.database import Database


def apply(*, atomic: bool = True, backwards: bool = False) -> None:
    operation, state = SelfTest(), ProjectState()
    with connections["default"].schema_editor(atomic=atomic) as editor:
        run = operation.database_backwards if backwards else operation.database_forwards
        run("core", editor, state, state)


def test_sqlmigrate_shows_it(migrator: None) -> None:
    state = ProjectState()
    with connections["default"].schema_editor(collect_sql=True, atomic=True) as editor:
        SelfTest().database_forwards("core", editor, state, state)

    assert editor.collected_sql == ["SELECT maintenance.self_test();"]


def test_what_it_raises_undoes_the_transaction(migrator: None, owner: Database) -> None:
    state = ProjectState()
    body = "BEGIN RAISE EXCEPTION 'No alert.' USING ERRCODE = 'XX000'; END"
    editor: Any = connections["default"].schema_editor(atomic=True)
    with pytest.raises(InternalError, match=r"No alert\."), editor:  # noqa: PT012
        editor.execute(
            "CREATE OR REPLACE FUNCTION maintenance.self_test() RETURNS void"
            f" LANGUAGE plpgsql AS $${body}$$"
        )
        SelfTest().database_forwards("core", editor, state, state)

    definition = "SELECT prosrc FROM pg_proc WHERE oid = to_regproc('maintenance.self_test')"
    assert "No alert." not in str(owner.execute(definition))


def test_outside_a_transaction_it_would_come_too_late(migrator: None) -> None:
    with pytest.raises(NotSupportedError, match="share a transaction"):
        apply(atomic=False)


def test_backwards_nothing_happens(migrator: None) -> None:
    apply(backwards=True)
    apply(atomic=False, backwards=True)
