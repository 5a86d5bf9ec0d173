"""Django runs on psycopg2 in every process, procrastinate's worker on psycopg 3 beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

import core.postgresql.base
from tests.conftest import run_manage

DRIVERS = """
import json, sys
from django.contrib.postgres.fields import ranges
from django.db import connection
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django_pg_migration_tools import operations
from pgtrigger import utils
connection.ensure_connection()
print(json.dumps({
    "connection": type(connection.connection).__module__,
    "engine": connection.settings_dict["ENGINE"],
    "django_is_psycopg3": is_psycopg3,
    "pgtrigger_is_psycopg3": utils.psycopg_maj_version == 3,
    "tools": operations.psycopg_sql.__name__.split(".")[0],
    "ranges": ranges.DateRange.__module__.split(".")[0],
    "version": connection.Database.__version__.split()[0],
    "psycopg3_importable": __import__("importlib.util").util.find_spec("psycopg") is not None,
}))
"""
ON_PSYCOPG2 = {
    "connection": "psycopg2.extensions",
    "engine": "core.postgresql",
    "django_is_psycopg3": False,
    "pgtrigger_is_psycopg3": False,
    "tools": "psycopg2",
    "ranges": "psycopg2",
    "version": "2.9.13",
    "psycopg3_importable": True,
}
# A task that reports, from within the running worker, what it and Django are connected with.
WORKER = """
import asyncio, json
import django
django.setup()
from django.db import connection
from procrastinate.contrib.django import app

found = {}

@app.task(name="tests.report", queue="test_driver", pass_context=True)
def report(context):
    connection.ensure_connection()
    found["django"] = type(connection.connection).__module__
    found["login"] = connection.settings_dict["USER"]
    found["worker"] = type(context.app.connector).__name__
    found["pool"] = type(context.app.connector.pool).__module__.split(".")[0]
    connection.close()

async def main():
    worker_app = app.with_connector(app.connector.get_worker_connector())
    async with worker_app.open_async():
        await worker_app.configure_task("tests.report", queue="test_driver").defer_async()
        await worker_app.run_worker_async(queues=["test_driver"], wait=False, concurrency=1)

asyncio.run(main())
print(json.dumps(found))
"""


def run_python(code: str, database_url: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that isn't manage.py's, as a web server does."""
    return subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "core.settings",
        },
        cwd=settings.BASE_DIR,
        text=True,
        capture_output=True,
        check=False,
    )


def output(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_a_command_runs_on_psycopg2(database_url: Callable[[str], str]) -> None:
    result = run_manage(
        "shell", "--no-imports", "-c", DRIVERS, database_url=database_url("claimdrift_worker")
    )

    assert output(result) == ON_PSYCOPG2


def test_a_web_process_runs_on_psycopg2(database_url: Callable[[str], str]) -> None:
    code = f"import django; django.setup()\n{DRIVERS}"

    assert output(run_python(code, database_url("claimdrift_web"))) == ON_PSYCOPG2


def test_the_worker_runs_on_psycopg3_and_its_tasks_on_psycopg2(
    database_url: Callable[[str], str],
) -> None:
    assert output(run_python(WORKER, database_url("claimdrift_worker"))) == {
        "django": "psycopg2.extensions",
        "login": "claimdrift_worker",
        "worker": "PsycopgConnector",
        "pool": "psycopg_pool",
    }


def test_an_older_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # No older server is at hand: claim to need a newer one.
    monkeypatch.setattr(core.postgresql.base, "MINIMUM_VERSION", 99)
    connection = connections["default"].copy()

    with pytest.raises(
        ImproperlyConfigured,
        match=r"claimdrift needs PostgreSQL 99 or newer; this server is 18\.",
    ):
        connection.connect()
    assert connection.connection is None


def test_a_command_on_an_older_server_says_so_in_one_line(
    database_url: Callable[[str], str],
) -> None:
    code = (
        "import sys; sys.argv = ['manage.py', 'customer', 'list']\n"
        "import core.settings, core.postgresql.base as base; base.MINIMUM_VERSION = 99\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(sys.argv)"
    )
    result = run_python(code, database_url("claimdrift_worker"))

    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].endswith(
        "claimdrift needs PostgreSQL 99 or newer; this server is 18."
    )
