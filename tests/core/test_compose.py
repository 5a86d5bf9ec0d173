"""docker-compose.yml: valid, closed to the network, and its database is the embedded one's twin."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings

from core.embedded import ROLES_SQL
from tests.core.test_embedded import temporary_server

DOCKER_COMPOSE = Path(sys.executable).with_name("docker-compose")


@pytest.fixture(scope="module")
def compose() -> Any:
    """The file as Docker Compose understands it."""
    result = subprocess.run(  # noqa: S603
        [str(DOCKER_COMPOSE), "config", "--format", "json"],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_the_server_is_postgresql_18_with_its_data_where_the_image_keeps_them(compose: Any) -> None:
    service = compose["services"]["postgres"]
    volumes = {volume["target"]: volume for volume in service["volumes"]}

    assert service["image"] == "postgres:18"
    assert volumes["/var/lib/postgresql"]["type"] == "volume"
    assert "/var/lib/postgresql/data" not in volumes


def test_only_this_machine_reaches_it(compose: Any) -> None:
    assert list(compose["services"]) == ["postgres"]
    assert [port["host_ip"] for port in compose["services"]["postgres"]["ports"]] == ["127.0.0.1"]


def test_it_is_healthy_only_once_it_listens(compose: Any) -> None:
    check = compose["services"]["postgres"]["healthcheck"]["test"]

    assert check[:2] == ["CMD", "pg_isready"]
    assert "--host=127.0.0.1" in check


def test_the_password_can_be_replaced_and_the_default_says_what_it_is(compose: Any) -> None:
    text = (settings.BASE_DIR / "docker-compose.yml").read_text(encoding="utf-8")

    assert compose["services"]["postgres"]["environment"] == {"POSTGRES_PASSWORD": "local-only"}
    assert "${POSTGRES_PASSWORD:-local-only}" in text


def test_no_error_text_reaches_the_log(compose: Any) -> None:
    command = compose["services"]["postgres"]["command"]

    assert {"log_min_messages=log", "log_min_error_statement=panic"} <= set(command)


def test_its_scripts_prepare_an_empty_server(compose: Any, tmp_path: Path) -> None:
    service = compose["services"]["postgres"]
    [roles] = [v for v in service["volumes"] if v["target"].startswith("/docker-entrypoint-initdb")]
    [database] = service["configs"]
    # The image runs them in the order of their names.
    assert roles["target"] < database["target"]
    assert Path(roles["source"]) == ROLES_SQL
    scripts = [ROLES_SQL.read_text(encoding="utf-8")]
    # Compose doubles the dollars that it leaves alone.
    scripts.append(compose["configs"][database["source"]]["content"].replace("$$", "$"))

    with temporary_server(tmp_path / "clone") as server:
        server.start()
        for script in scripts:
            result = subprocess.run(  # noqa: S603
                [
                    str(server.bin_dir / "psql"),
                    "--no-psqlrc",
                    "--set=ON_ERROR_STOP=1",
                    f"--dbname={server.url('postgres', 'postgres')}",
                ],
                input=script,
                env={"POSTGRES_PASSWORD": "it's local"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == 0, result.stderr
        with closing(psycopg2.connect(server.url("postgres", "postgres"))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT datdba::regrole::text, pg_encoding_to_char(encoding), datlocprovider,"
                    " datlocale FROM pg_database WHERE datname = 'claimdrift'"
                )
                assert cursor.fetchall() == [("claimdrift_owner", "UTF8", "b", "C.UTF-8")]
                cursor.execute(
                    "SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'"
                    " ORDER BY rolname"
                )
                assert cursor.fetchall() == [
                    ("claimdrift_migrator",),
                    ("claimdrift_web",),
                    ("claimdrift_worker",),
                ]
