"""deploy/compose/haproxy.cfg in a real HAProxy: two slots, and switches that lose nothing."""

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from django.conf import settings

from tests.acceptance.service import LIMIT
from tests.compose import understood
from tests.pooling import free_port

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
CONFIGURATION = settings.BASE_DIR / "deploy/compose/haproxy.cfg"


@dataclass
class Slot:
    """A server that answers with its name and what it was asked."""

    name: str
    is_ready: bool = True
    pause: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[int]:
        slot = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/health/ready":
                    self.answer(200 if slot.is_ready else 503, b"")
                    return
                slot.asked.append({name.lower(): text for name, text in self.headers.items()})
                time.sleep(slot.pause)
                self.answer(200, slot.name.encode())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Checks are cut off as soon as they have been answered."""

        with Server(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield server.server_port
            finally:
                server.shutdown()
                thread.join()


@dataclass
class Proxy:
    """The proxy as it runs, and where it is."""

    process: "subprocess.Popen[bytes]"
    live: Path
    log: Path
    ports: dict[str, int]
    context: ssl.SSLContext

    def get(self, path: str = "/", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        with closing(
            http.client.HTTPSConnection(
                "localhost", self.ports["HTTPS"], timeout=LIMIT, context=self.context
            )
        ) as connection:
            connection.request(
                "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
            )
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read(), names

    def switch(self, slot: str) -> None:
        """What operations.md says; a master that has only just started may miss a signal."""
        self.live.write_text(f"live {slot}\n", encoding="utf-8")
        loaded, deadline = self.loaded(), time.monotonic() + LIMIT
        while self.loaded() == loaded:
            assert time.monotonic() < deadline
            self.process.send_signal(signal.SIGUSR2)
            patience = time.monotonic() + 2
            while self.loaded() == loaded and time.monotonic() < patience:
                time.sleep(0.02)

    def loaded(self) -> int:
        """How many times it has read its configuration."""
        return self.log.read_text(encoding="utf-8").count("Loading success.")

    def wait_for(self, *expected: bytes) -> None:
        deadline = time.monotonic() + LIMIT
        while self.get()[1] not in expected:
            assert time.monotonic() < deadline, self.get()
            time.sleep(0.05)


@pytest.fixture
def slots() -> tuple[Slot, Slot]:
    return Slot("blue"), Slot("green")


@pytest.fixture
def proxy(slots: tuple[Slot, Slot], tmp_path: Path) -> Iterator[Proxy]:
    (tmp_path / "live").mkdir()
    (tmp_path / "live/live.map").write_text("live blue\n", encoding="utf-8")
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "tls.pem")
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    ports = {name: free_port() for name in ("HTTP", "HTTPS", "HEALTH", "METRICS")}
    with slots[0].running() as blue, slots[1].running() as green:
        environment = {
            **{name: f"127.0.0.1:{port}" for name, port in ports.items()},
            "WEB_BLUE": f"127.0.0.1:{blue}",
            "WEB_GREEN": f"127.0.0.1:{green}",
            "FOLDER": str(tmp_path),
            "CERTIFICATE": str(tmp_path / "tls.pem"),
            "SOCKET": str(tmp_path / "socket"),
            "NAMESERVER": "127.0.0.1:53",
        }
        # All that the file leaves open is what docker-compose.yml says.
        assert set(environment) == set(
            understood("docker-compose.yml")["services"]["proxy"]["environment"]
        )
        assert HAPROXY
        log = tmp_path / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                [HAPROXY, "-W", "-db", "-f", str(CONFIGURATION)],
                env=environment,
                stdout=output,
                stderr=output,
            )
        proxy = Proxy(process, tmp_path / "live/live.map", log, ports, context)
        try:
            wait_until_it_listens(proxy)
            yield proxy
            end(process)
            assert "config :" not in log.read_text(encoding="utf-8")
        finally:
            process.kill()
            process.wait()


def end(process: "subprocess.Popen[bytes]") -> None:
    """As Compose does; a master that has only just started a worker may miss the first signal."""
    deadline = time.monotonic() + LIMIT
    while process.poll() is None:
        assert time.monotonic() < deadline
        process.send_signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)


def wait_until_it_listens(proxy: Proxy) -> None:
    deadline = time.monotonic() + LIMIT
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", proxy.ports["HTTPS"])) == 0:
                return
        assert proxy.process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_switch_loses_no_request(proxy: Proxy, slots: tuple[Slot, Slot]) -> None:
    blue, green = slots
    blue.pause = green.pause = 0.02
    answers: Counter[tuple[int, bytes]] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            status, body, _ = proxy.get()
            answers[status, body] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for slot in ("green", "blue", "green"):
            proxy.switch(slot)
            proxy.wait_for(slot.encode())
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert set(answers) == {(200, b"blue"), (200, b"green")}
    assert min(answers.values()) > 5


def test_the_idle_slot_answers_nobody(proxy: Proxy, slots: tuple[Slot, Slot]) -> None:
    blue, green = slots
    blue.is_ready = False
    deadline = time.monotonic() + LIMIT
    while (found := proxy.get())[0] == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    status, body, headers = found

    # Ready as it is: it may be a release that nobody trusts yet.
    assert green.asked == []
    problem = json.loads(body)
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert headers["retry-after"] == "5"
    assert (problem["code"], problem["status"], problem["errors"]) == ("unavailable", 503, [])
    assert len(problem["request_id"]) == 36
    blue.is_ready = True
    proxy.wait_for(b"blue")


def test_what_clients_say_of_themselves_is_not_believed(
    proxy: Proxy, slots: tuple[Slot, Slot]
) -> None:
    proxy.get(X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="http", X_Request_ID="mine-all-mine")
    proxy.get()
    first, second = slots[0].asked

    assert first["x-forwarded-for"] == "127.0.0.1"
    assert first["x-forwarded-proto"] == "https"
    assert first["x-request-id"] == "mine-all-mine"
    assert len(second["x-request-id"]) == 36


def test_plain_http_is_sent_to_https(proxy: Proxy, slots: tuple[Slot, Slot]) -> None:
    with closing(
        http.client.HTTPConnection("127.0.0.1", proxy.ports["HTTP"], timeout=LIMIT)
    ) as connection:
        connection.request("GET", "/api/v1/alerts", headers={"Host": "claims.example.org"})
        answer = connection.getresponse()

    assert answer.status == 308
    assert answer.headers["Location"] == "https://claims.example.org/api/v1/alerts"
    assert slots[0].asked == []


def test_metrics_are_not_for_the_outside(proxy: Proxy, slots: tuple[Slot, Slot]) -> None:
    assert proxy.get("/metrics")[0] == 404
    assert slots[0].asked == []
    with closing(
        http.client.HTTPConnection("127.0.0.1", proxy.ports["METRICS"], timeout=LIMIT)
    ) as connection:
        connection.request("GET", "/metrics")
        assert b"haproxy_backend_http_responses_total" in connection.getresponse().read()


def test_the_health_check_of_the_container_asks_what_it_should(proxy: Proxy) -> None:
    [bash, option, script] = understood("docker-compose.yml")["services"]["proxy"]["healthcheck"][
        "test"
    ][1:]
    for port, code in ((proxy.ports["HEALTH"], 0), (free_port(), 1)):
        result = subprocess.run(  # noqa: S603 (the file's own text)
            [bash, option, script.replace("8404", str(port))], capture_output=True, check=False
        )
        assert result.returncode == code, result
