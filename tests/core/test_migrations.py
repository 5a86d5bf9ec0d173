"""Migrations: nothing is missing from them, and they go back and forth without a trace."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest

from tests.conftest import DATABASE, SERVER, create_database, run_manage

OWN_DATABASE = f"{DATABASE}_migrations"
URL = SERVER.url("claimdrift_migrator", OWN_DATABASE)


@pytest.fixture(scope="module")
def own_database() -> Iterator[None]:
    """A migrated database that nobody else uses."""
    create_database(OWN_DATABASE)
    yield
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser:
        superuser.autocommit = True
        with superuser.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{OWN_DATABASE}" WITH (FORCE)')


def dump() -> str:
    """The schema, without what is different in every dump."""
    result = subprocess.run(  # noqa: S603 (our own server's program)
        [
            str(SERVER.bin_dir / "pg_dump"),
            "--schema-only",
            "--restrict-key=fixed",
            f"--dbname={SERVER.url('postgres', OWN_DATABASE)}",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def migrate(*arguments: str) -> str:
    result = run_manage("migrate", *arguments, database_url=URL)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_models_triggers_and_stored_logic_are_all_in_migrations(
    database_url: Callable[[str], str],
) -> None:
    result = run_manage(
        "makemigrations", "--check", "--dry-run", database_url=database_url("claimdrift_migrator")
    )

    assert (result.returncode, result.stderr) == (0, ""), result.stdout


@pytest.mark.usefixtures("own_database")
def test_to_zero_and_forward_again_leaves_the_same_schema() -> None:
    before = dump()
    migrate("core", "zero")
    between = dump()
    migrate()

    assert "CREATE SCHEMA drift" in before
    for trace in ("SCHEMA drift", "claimdrift_tenant", "claimdrift_platform", "pgtrigger"):
        assert trace not in between
    assert dump() == before
