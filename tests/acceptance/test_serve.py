"""`manage.py serve` and `make run` as processes: what they answer, and that nothing stays."""

import http.client
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password

from tests.acceptance.service import LIMIT, Service, all_gone
from tests.acceptance.test_fresh_clone import Clone, run_and_interrupt
from tests.acceptance.together import DatabaseUrl
from tests.api.test_metrics import samples
from tests.database import Database
from tests.portfolio import Portfolio

PASSWORD = "correct horse battery staple"  # noqa: S105
SERVE = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "--bind", "127.0.0.1:0"]


@pytest.fixture(scope="module")
def environment(
    database_url: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url("claimdrift_web"),
        "CLAIMDRIFT_WORKER_DATABASE_URL": database_url("claimdrift_worker"),
        "CLAIMDRIFT_LOG_LEVEL": "WARNING",
        "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
    }


@pytest.fixture(scope="module")
def service(environment: dict[str, str]) -> Iterator[Service]:
    """API and worker on the test database."""
    service = Service(SERVE, environment)
    yield service
    service.kill()


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Service]]:
    """Start more of them."""
    started: list[Service] = []

    def start(command: list[str] = SERVE, **variables: str) -> Service:
        started.append(Service(command, {**environment, **variables}))
        return started[-1]

    yield start
    for service in started:
        service.kill()


def get(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=named)  # noqa: S310 (http)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as response:  # noqa: S310 (http)
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


# What it answers


def test_it_is_ready_with_its_own_logins(service: Service, worker: Database) -> None:
    status, headers, text = get(f"{service.url}/health/ready", X_Request_ID="0f8c-1234")

    assert (status, headers["X-Request-ID"]) == (200, "0f8c-1234")
    assert json.loads(text)["status"] == "ready"
    logins = worker.execute(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'claimdrift'"
    )
    assert ("claimdrift_web",) in logins


def test_the_figures_of_its_processes_are_added_up(service: Service) -> None:
    key = ("claimdrift_http_requests_total",
           (("method", "GET"), ("route", "/health/live"), ("status", "200")))  # fmt: skip
    before = samples(get(f"{service.url}/metrics")[2]).get(key, 0)
    for _ in range(40):
        get(f"{service.url}/health/live")

    # Whichever process answers.
    for _ in range(5):
        after = samples(get(f"{service.url}/metrics")[2])
        assert after[key] == before + 40
        assert after["claimdrift_database_up", ()] == 1
        assert after["claimdrift_workers", ()] >= 1


def raw(service: Service, request: bytes) -> bytes:
    """The first answer to these bytes."""
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2]))) as client:
        client.settimeout(LIMIT)
        client.sendall(request)
        response = http.client.HTTPResponse(client)
        response.begin()
        return b"%d " % response.status + response.read()


def test_a_chunked_body_is_refused(service: Service) -> None:
    answer = raw(
        service,
        b"POST /health/live HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\n{a:1}\r\n0\r\n\r\n",
    )

    assert answer.startswith(b"411 ")
    assert json.loads(answer[4:])["code"] == "length_required"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 70 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
         b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    ],
)  # fmt: skip
def test_requests_beyond_the_limits_are_refused(
    service: Service, request_: bytes, status: bytes
) -> None:
    assert raw(service, request_)[:3] == status


def test_a_client_that_claims_to_be_a_proxy_is_not_believed(service: Service) -> None:
    status, headers, _ = get(
        f"{service.url}/admin/", X_Forwarded_Proto="https", X_Forwarded_For="1.2.3.4"
    )

    assert status == 200  # followed to the form
    assert "Secure" not in headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in headers


def test_files_of_the_admin_and_the_docs_are_served(service: Service) -> None:
    for name in ("admin/css/base.css", "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"):
        status, headers, _ = get(f"{service.url}/static/{name}")

        assert status == 200
        assert headers["Content-Type"].startswith("text/css")


def test_a_superuser_signs_in_and_adds_a_customer(
    service: Service, owner: Database, portfolio: Portfolio
) -> None:
    user_id = portfolio.user()
    email = owner.value(
        'UPDATE "user" SET is_superuser = true, password = %s WHERE id = %s RETURNING email',
        make_password(PASSWORD),
        user_id,
    )
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )

    def send(path: str, **fields: str) -> str:
        with browser.open(f"{service.url}{path}", timeout=LIMIT) as page:
            text = page.read().decode()
        token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)[0]
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        with browser.open(f"{service.url}{path}", data, timeout=LIMIT) as answer:
            found: str = answer.read().decode()
            return found

    assert "Log out" in send("/admin/login/?next=/admin/", username=email, password=PASSWORD)
    # Each of the processes accepts the cookie that one of them signed.
    for number in range(4):
        slug = f"served-{number}-{portfolio.slug}"
        text = send(
            "/admin/core/customer/add/", slug=slug, name="Served", time_zone="UTC", status="active"
        )
        assert slug in text
        assert owner.value("SELECT count(*) FROM customer WHERE slug = %s", slug) == 1


def test_its_worker_does_what_is_queued(
    service: Service, worker: Database, portfolio: Portfolio
) -> None:
    job_id = worker.value(
        "SELECT drift.queue_detection(p_customer_id => %s)", portfolio.customer_id
    )
    deadline = time.monotonic() + LIMIT
    status = ""
    while status != "succeeded" and time.monotonic() < deadline:
        status = worker.value("SELECT status::text FROM procrastinate_jobs WHERE id = %s", job_id)
        time.sleep(0.05)

    assert status == "succeeded"
    assert len(portfolio.rows("drift_run")) == 1


def test_its_log_tells_routes_and_neither_paths_nor_queries(service: Service) -> None:
    get(f"{service.url}/health/live?patient=Jane-Doe", X_Request_ID="log-test-1")
    get(f"{service.url}/patients/Jane-Doe", X_Request_ID="log-test-2")
    line = service.wait_for(r"(.*\[log-test-1\] GET .*)\n")
    service.wait_for(r"(\[log-test-2\] GET unmatched 404 )")

    assert re.fullmatch(
        r"\S+Z INFO api\.access: \[log-test-1\] GET /health/live 200 [0-9.]+ ms", line
    )
    assert "Jane" not in "".join(service.lines)


# How it ends


def test_sigterm_ends_all_of_it(start: Callable[..., Service], tmp_path: Path) -> None:
    service = start(TMPDIR=str(tmp_path))
    family = service.family()
    # serve, gunicorn, its two processes, the worker
    assert len(family) == 5
    assert list(tmp_path.glob("claimdrift-metrics-*"))

    service.process.terminate()

    assert service.wait() == 0
    assert all_gone(family)
    assert list(tmp_path.glob("claimdrift-metrics-*")) == []


def test_ctrl_c_ends_it_even_as_a_scripts_background_job(start: Callable[..., Service]) -> None:
    # Such a job is born with SIGINT ignored.
    script = ["bash", "-c", '"$@" & wait $!; wait; exit', "-", *SERVE]
    service = start(script)
    family = service.family()
    assert len(family) == 6

    os.killpg(service.process.pid, signal.SIGINT)
    service.wait_for(r"(Stopping)")

    assert all_gone(family[1:])
    service.wait()


@pytest.mark.parametrize("name", ["gunicorn", "procrastinate"])
def test_when_one_of_the_two_ends_so_does_the_other(
    start: Callable[..., Service], name: str, tmp_path: Path
) -> None:
    service = start(TMPDIR=str(tmp_path))
    family = service.family()
    [victim, *_] = [
        pid
        for pid in family
        if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]

    os.kill(victim, signal.SIGKILL)

    assert service.wait() == 1
    assert "ended by itself (killed by SIGKILL)." in service.lines[-1]
    assert all_gone(family)
    assert list(tmp_path.glob("claimdrift-metrics-*")) == []


def test_when_it_is_killed_the_others_end(start: Callable[..., Service]) -> None:
    service = start()
    family = service.family()

    service.process.kill()

    assert service.wait() == -signal.SIGKILL
    assert all_gone(family)


# What it refuses


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own command)
        [*SERVE, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


def test_a_port_in_use_is_said_so(service: Service, environment: dict[str, str]) -> None:
    address = service.url.removeprefix("http://")
    result = serve("--bind", address, **environment)

    assert result.returncode == 1
    assert result.stderr == (
        f"CommandError: Another process listens on {address} already. Stop it, or choose another "
        "address with --bind HOST:PORT.\n"
    )


def test_the_worker_needs_a_login_of_its_own(database_url: DatabaseUrl) -> None:
    result = serve(DATABASE_URL=database_url("claimdrift_web"))

    assert result.returncode == 1
    assert "CLAIMDRIFT_WORKER_DATABASE_URL" in result.stderr


# From nothing; tests/acceptance/test_fresh_clone.py runs it where the demo has run before.


@pytest.mark.long
def test_make_run_loads_the_demo_first(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "claimdrift")
    try:
        text = run_and_interrupt(clone)
    finally:
        clone.remove()

    assert "Loading the demo's practices ..." in text
