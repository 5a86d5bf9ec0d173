"""Notifications reach a Slack-compatible URL and a mail server, and never fail a deploy."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.config import Config, ConfigError, Email, read_config
from deploy.notify import Notifier
from tests.deploy.test_config import GOOD

URL_PATH = "/services/T000/B000/very-secret"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(str(server.server_address[1]))  # type: ignore[index]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def slack(status: int = 200) -> Iterator[tuple[int, list[Any]]]:
    """A receiver's port, and what was posted there."""
    posted: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, posted


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """A mail server's port, and what it was told, line by line."""
    told: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            is_data = False
            for raw in self.rfile:
                line = raw.decode().rstrip("\r\n")
                told.append(line)
                if is_data and line != ".":
                    continue
                is_data = line.upper() == "DATA"
                ends = line.upper() == "QUIT"
                self.wfile.write(
                    b"354 go on\r\n" if is_data else b"221 bye\r\n" if ends else b"250 fine\r\n"
                )
                if ends:
                    return

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, told


@pytest.fixture
def quiet(tmp_path: Path) -> Config:
    """A configuration that tells nobody."""
    file = tmp_path / "deploy.toml"
    file.write_text(GOOD)
    return read_config(file)


def with_slack(config: Config, port: int) -> Config:
    file = config.file.with_name("slack.url")
    file.touch(mode=0o600)
    file.write_text(f"http://127.0.0.1:{port}{URL_PATH}\n")
    return replace(config, slack_url_file=file)


def with_email(config: Config, port: int) -> Config:
    email = Email("127.0.0.1", port, "deploy@example.com", ("a@x.org", "b@x.org"), False, "", None)
    return replace(config, email=email)


def test_both_are_told(quiet: Config) -> None:
    said: list[str] = []
    with slack() as (slack_port, posted), mail_server() as (mail_port, told):
        config = with_email(with_slack(quiet, slack_port), mail_port)
        notifier = Notifier(config, said.append)
        notifier.tell("r2 rolled back (failed at preview)", "No alert.")
        notifier.finish()

    [(path, body)] = posted
    assert path == URL_PATH
    assert list(body) == ["text"]
    assert body["text"].endswith(": r2 rolled back (failed at preview)\nNo alert.")
    assert "rcpt TO:<a@x.org>" in told
    assert "rcpt TO:<b@x.org>" in told
    [subject] = [line for line in told if line.startswith("Subject: ")]
    assert subject.startswith("Subject: claimdrift on ")
    assert "No alert." in told
    assert said == []


def test_one_that_is_refused_is_said_without_its_url(quiet: Config) -> None:
    said: list[str] = []
    with slack(status=500) as (port, posted):
        notifier = Notifier(with_slack(quiet, port), said.append)
        notifier.tell("r2 deployed", "")
        notifier.finish()

    assert len(posted) == 1
    assert said == ["notify    Slack couldn't be sent (HTTPError)"]


def test_one_that_nobody_takes_is_said(quiet: Config) -> None:
    said: list[str] = []
    with slack() as (port, _):
        pass
    notifier = Notifier(with_email(with_slack(quiet, port), port), said.append)
    notifier.tell("r2 deployed", "")
    notifier.finish()

    assert sorted(said) == [
        "notify    E-mail couldn't be sent (ConnectionRefusedError)",
        "notify    Slack couldn't be sent (URLError)",
    ]


def test_nobody_is_told_where_nothing_is_configured(quiet: Config) -> None:
    said: list[str] = []
    notifier = Notifier(quiet, said.append)
    notifier.tell("r2 deployed", "")
    notifier.finish()
    assert said == []


def test_a_secret_that_is_missing_is_refused_before_the_deploy(quiet: Config) -> None:
    missing = replace(quiet, slack_url_file=quiet.file.with_name("missing"))
    with pytest.raises(ConfigError, match="missing can't be read"):
        Notifier(missing, print)
