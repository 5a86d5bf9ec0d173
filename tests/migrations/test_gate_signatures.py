"""Whoever runs while functions are replaced finds those that it calls, as it knows them.

A changed contract is a new function (`_v2`). The old one stays until no release that runs calls it:
it goes in a migration that does nothing but remove functions, which a later release brings.
"""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from django.db.migrations import Migration
from django_migrate_sql.operations import AlterSQL, CreateSQL, DeleteSQL

from core.online import SelfTest
from tests.migrations.chain import functions, ours, recent

SIGNATURE = re.compile(
    r"CREATE OR REPLACE FUNCTION\s+(?P<name>[\w.]+)\s*\((?P<arguments>.*?)\)\s*"
    r"RETURNS\s+(?P<result>.*?)\s*\n(?:--[^\n]*\n)*LANGUAGE\b",
    re.DOTALL,
)


def signature(text: str) -> tuple[str, str, str]:
    """Name, arguments and result, without comments and line breaks."""
    match = SIGNATURE.search(text)
    assert match, text[:300]
    parts = (re.sub(r"--[^\n]*", "", match[part]) for part in ("name", "arguments", "result"))
    name, arguments, result = (" ".join(part.split()) for part in parts)
    return name, arguments, result


def changed(migrations: Sequence[Migration]) -> list[str]:
    """Functions that got another signature under the same name."""
    former: dict[str, tuple[str, str, str]] = {}
    found = []
    for migration in migrations:
        for operation in functions(migration):
            if isinstance(operation, CreateSQL | AlterSQL):
                new = signature(str(operation.sql))
                if former.setdefault(operation.name, new) != new and migration in recent():
                    found.append(f"{migration.name}: {operation.name}")
                former[operation.name] = new
    return found


def test_no_signature_changes_in_place() -> None:
    assert changed(ours()) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("p_id bigint", "p_id int"),
        ("p_id bigint", "p_other bigint"),
        ("p_id bigint", "p_id bigint, p_more int DEFAULT 1"),
        ("p_id bigint", "p_id bigint -- the claim's"),
    ],
)
def test_a_changed_argument_is_noticed_and_a_comment_is_not(before: str, after: str) -> None:
    texts = [
        f"CREATE OR REPLACE FUNCTION drift.x(\n    {arguments}\n)\nRETURNS int\nLANGUAGE sql\n"
        for arguments in (before, after)
    ]

    assert (signature(texts[0]) == signature(texts[1])) == ("--" in after)


def test_a_changed_result_is_noticed() -> None:
    texts = [
        f"CREATE OR REPLACE FUNCTION drift.x()\nRETURNS TABLE (\n    {column}\n)\nLANGUAGE sql\n"
        for column in ("a int", "a bigint")
    ]

    assert signature(texts[0]) != signature(texts[1])


def kinds(migration: Any) -> set[type]:
    return {type(operation) for operation in functions(migration)}


@pytest.mark.parametrize("migration", recent(), ids=lambda m: m.name)
def test_functions_go_in_migrations_of_their_own(migration: Migration) -> None:
    assert DeleteSQL not in kinds(migration) or kinds(migration) == {DeleteSQL}


@pytest.mark.parametrize("migration", recent(), ids=lambda m: m.name)
def test_functions_are_tried_in_the_transaction_that_changes_them(migration: Any) -> None:
    if kinds(migration):
        assert migration.atomic
        assert isinstance(migration.operations[-1], SelfTest)
    else:
        assert not any(isinstance(o, SelfTest) for o in migration.operations)
