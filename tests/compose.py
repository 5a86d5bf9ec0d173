"""Compose files as Docker Compose understands them."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg2
from django.conf import settings

from core.embedded import EmbeddedServer
from tests.database import Database

DOCKER_COMPOSE: Final = Path(sys.executable).with_name("docker-compose")


def understood(file: str, **variables: str) -> Any:
    """A file of this project with all that it leaves open filled in; dollars are doubled in it."""
    result = subprocess.run(  # noqa: S603
        [str(DOCKER_COMPOSE), "--file", file, "config", "--format", "json"],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def run_script(server: EmbeddedServer, script: str, **variables: str) -> None:
    """Run what the image of PostgreSQL runs on empty data, as it does."""
    result = subprocess.run(  # noqa: S603
        [
            str(server.bin_dir / "psql"),
            "--no-psqlrc",
            "--set=ON_ERROR_STOP=1",
            f"--dbname={server.url('postgres', 'postgres')}",
        ],
        input=script,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def check_prepared(server: EmbeddedServer) -> None:
    """The database is the embedded one's twin, and each login has a password."""
    with closing(psycopg2.connect(server.url("postgres", "postgres"))) as connection:
        database = Database(connection)
        assert database.execute(
            "SELECT datdba::regrole::text, pg_encoding_to_char(encoding), datlocprovider,"
            " datlocale FROM pg_database WHERE datname = 'claimdrift'"
        ) == [("claimdrift_owner", "UTF8", "b", "C.UTF-8")]
        assert database.execute(
            "SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'"
            " ORDER BY rolname"
        ) == [("claimdrift_migrator",), ("claimdrift_web",), ("claimdrift_worker",)]
