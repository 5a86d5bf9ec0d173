"""squawk, which knows what makes others wait or breaks who is running, passes each migration."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations import Migration

from tests.migrations.chain import exceptions, ours, recent, recent_sql

# Rules that don't fit how migrations are run here, for all of them.
EXCLUDED = {
    # An index is built for as long as it takes. What may not last long has a lock_timeout.
    "require-statement-timeout": "migrate sets none",
    # Operations look at what is there before they do anything, which their SQL can't show; that
    # they can be run again is another gate's matter (test_gate_rerunnable.py).
    "prefer-robust-stmts": "operations look first",
}


def complaints(text: str) -> dict[str, str]:
    """The rules that the SQL breaks, each with its first complaint."""
    # As migrate does for every session.
    script = f"SET lock_timeout = '1s';\n{text}"
    result = subprocess.run(  # noqa: S603 (a tool of ours)
        [
            str(Path(sys.executable).with_name("squawk")),
            "--pg-version=18.0",
            "--reporter=json",
            f"--exclude={','.join(EXCLUDED)}",
            "--stdin-filepath=migration.sql",
        ],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode in {0, 1}, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return {complaint["rule_name"]: complaint["message"] for complaint in reversed(found)}


@pytest.mark.usefixtures("migrator")
@pytest.mark.parametrize("migration", recent(), ids=lambda m: m.name)
def test_a_migration_passes_but_for_what_it_excuses(migration: Migration) -> None:
    found = complaints(recent_sql()[migration.name])

    assert set(found) == set(exceptions(migration)), (
        f"{found}: change {migration.name}, or give the reason why it may be in its"
        " SQUAWK_EXCEPTIONS (docs/migrations.md)."
    )


@pytest.mark.parametrize("migration", ours(), ids=lambda m: m.name)
def test_an_exception_gives_its_reason(migration: Migration) -> None:
    assert all(len(reason) > 20 for reason in exceptions(migration).values())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('CREATE INDEX "a" ON "claim" ("cpt");', "require-concurrent-index-creation"),
        (
            'BEGIN; CREATE INDEX CONCURRENTLY "a" ON "claim" ("cpt"); COMMIT;',
            "ban-concurrent-index-creation-in-transaction",
        ),
        (
            'ALTER TABLE "claim" ADD CONSTRAINT "a" UNIQUE ("cpt");',
            "disallowed-unique-constraint",
        ),
        ('ALTER TABLE "claim" ADD CONSTRAINT "a" CHECK (cpt > 5);', "constraint-missing-not-valid"),
        (
            'ALTER TABLE "claim" ADD CONSTRAINT "a" FOREIGN KEY (x) REFERENCES "y" (id);',
            "adding-foreign-key-constraint",
        ),
        ('ALTER TABLE "claim" ALTER COLUMN "cpt" SET NOT NULL;', "adding-not-nullable-field"),
        ('ALTER TABLE "claim" ALTER COLUMN "cpt" TYPE text;', "changing-column-type"),
        ('ALTER TABLE "claim" DROP COLUMN "cpt";', "ban-drop-column"),
        ('ALTER TABLE "claim" DROP CONSTRAINT "cpt";', "ban-drop-constraint"),
        ('ALTER TABLE "claim" RENAME COLUMN "cpt" TO "code";', "renaming-column"),
    ],
)
def test_the_gate_would_close(text: str, rule: str) -> None:
    assert rule in complaints(text)
