"""The examples in docs/webhooks.md that verify and sign, run as somebody would paste them."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from core.webhooks import secrets
from tests.core.webhooks_page import block

BODY = b'{"data": {"payer": {"name": "M\xc3\xbcller & Co"}}, "type": "alert.opened"}'


@dataclass
class Signed:
    """A request as the sender signs it."""

    secret: str
    headers: dict[str, str]
    body: bytes


def signed(*, age_seconds: int = 0, former: bool = False) -> Signed:
    """A request that was just signed; `former`: with a newer secret before ours."""
    new = secrets.create(customer_id=1)
    newer = secrets.create(customer_id=1)
    at = int(time.time()) - age_seconds
    signature = secrets.sign(
        secret_keys=[
            secrets.decrypt(customer_id=1, ciphertext=s.ciphertext, key_id=s.key_id)
            for s in ([newer, new] if former else [new])
        ],
        message_id="msg_0199",
        timestamp=at,
        body=BODY,
    )
    headers = {
        "webhook-id": "msg_0199",
        "webhook-timestamp": str(at),
        "webhook-signature": signature,
    }
    return Signed(new.text, headers, BODY)


def genuine() -> list[Signed]:
    return [signed(), signed(former=True)]


def forged() -> list[Signed]:
    [right, _] = genuine()
    return [
        Signed(signed().secret, right.headers, BODY),
        Signed(right.secret, right.headers, BODY.replace(b"opened", b"closed")),
        Signed(right.secret, {**right.headers, "webhook-id": "msg_0200"}, BODY),
        signed(age_seconds=3600),
        signed(age_seconds=-3600),
    ]


def by_package(request: Signed) -> bool:
    return _by_python(block("python", "import standardwebhooks"), request)


def by_hand(request: Signed) -> bool:
    return _by_python(block("python", "class Forged"), request)


def _by_python(source: str, request: Signed) -> bool:
    """In a process of its own, as somebody would paste it."""
    call = (
        "import json, sys\n"
        "given = json.load(sys.stdin)\n"
        "event = verified(given['headers'], given['body'].encode(), given['secret'])\n"
        "assert event == json.loads(given['body'])\n"
    )
    return _ran([sys.executable, "-c", f"{source}\n{call}"], request)


def by_node(request: Signed) -> bool:
    call = (
        "const given = JSON.parse(require('node:fs').readFileSync(0));\n"
        "const event = verified(given.headers, Buffer.from(given.body), given.secret);\n"
        "if (event.type !== 'alert.opened') throw new Error(event.type);\n"
    )
    node = str(Path(sys.executable).with_name("node"))
    return _ran([node, "-e", block("js", "node:crypto") + call], request)


def by_openssl(request: Signed) -> bool:
    script = block("sh", "echo genuine")
    environment = {
        "SECRET": request.secret,
        "ID": request.headers["webhook-id"],
        "TIMESTAMP": request.headers["webhook-timestamp"],
        "SIGNATURES": request.headers["webhook-signature"],
    }
    result = subprocess.run(  # noqa: S603 (the page's own text)
        ["sh", "-euc", script],  # noqa: S607
        input=request.body,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert result.stdout in {b"genuine\n", b"forged\n"}, result
    return result.stdout == b"genuine\n"


def _ran(command: list[str], request: Signed) -> bool:
    given = {**vars(request), "body": request.body.decode()}
    result = subprocess.run(  # noqa: S603 (the page's own text)
        command, input=json.dumps(given), capture_output=True, text=True, check=False
    )
    # A refusal is an error of its own, not a slip in the example.
    assert result.returncode == 0 or re.search("VerificationError|Forged", result.stderr), result
    return result.returncode == 0


@pytest.mark.parametrize("verify", [by_package, by_hand, by_node, by_openssl])
def test_each_example_tells_genuine_requests_from_forged_ones(verify: Any) -> None:
    assert [verify(request) for request in genuine()] == [True] * 2
    assert [verify(request) for request in forged()] == [False] * 5


@contextmanager
def receiving() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server's URL, and what it received."""
    received: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(({n.lower(): v for n, v in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/webhooks", received
        finally:
            server.shutdown()
            thread.join()


def test_the_example_that_sends_a_request_sends_what_we_would() -> None:
    script = block("sh", "--data-binary")
    secret = secrets.create(customer_id=1).text

    with receiving() as (url, received):
        result = subprocess.run(  # noqa: S603 (the page's own text)
            ["sh", "-euc", script],  # noqa: S607
            env={**os.environ, "SECRET": secret, "URL": url},
            capture_output=True,
            text=True,
            check=False,
        )

    assert (result.returncode, result.stdout) == (0, "204\n"), result
    [(headers, body)] = received
    assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"
    assert headers["content-type"] == "application/json"
