"""deploy/compose/developer.yml: a valid twin of the embedded server, closed to the network."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from core.embedded import ROLES_SQL
from tests.compose import check_prepared, run_script, understood
from tests.core.test_embedded import temporary_server

FILE = "deploy/compose/developer.yml"


@pytest.fixture(scope="module")
def compose() -> Any:
    """The file as Docker Compose understands it."""
    return understood(FILE)


def test_the_server_is_postgresql_18_with_its_data_where_the_image_keeps_them(compose: Any) -> None:
    service = compose["services"]["postgres"]
    volumes = {volume["target"]: volume for volume in service["volumes"]}

    assert service["image"] == "postgres:18.6"
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
    text = (settings.BASE_DIR / FILE).read_text(encoding="utf-8")

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
            run_script(server, script, **{"POSTGRES_PASSWORD": "it's local"})
        check_prepared(server)
