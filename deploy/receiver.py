"""A receiver of webhooks such as a customer runs, for the smoke: it checks every signature."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from deploy.commands import StageFailed
from deploy.layout import Refused

# As docs/webhooks.md says: what is older may be a recording.
_TOLERANCE_SECONDS: Final = 300
_POLL_SECONDS: Final = 0.05

Event = dict[str, Any]


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether a request was signed with the endpoint's secret, and lately."""
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > _TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join([message_id.encode(), sent.encode(), body])
    expected = b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
    return any(
        hmac.compare_digest(expected, signature.encode())
        for signature in headers.get("webhook-signature", "").split()
    )


class Receiver:
    """Listens on a port of 127.0.0.1 and keeps what comes. A context manager.

    Raises Refused if somebody else listens there.
    """

    def __init__(self, port: int) -> None:
        self._received: list[tuple[str, Event, bool]] = []
        self._secrets: dict[str, str] = {}
        self._port = port
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise Refused(
                f"The smoke's receiver can't listen on 127.0.0.1:{port}: {error.strerror}. Give it "
                "a port of its own: ports.receiver."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    def expect(self, path: str, secret: str) -> None:
        """What comes to this path must be signed with this."""
        self._secrets[path] = secret

    def has_genuine(self, path: str, matches: Callable[[Event], bool]) -> bool:
        """Whether such an event came. Raises StageFailed if it came with a wrong signature."""
        for at, event, genuine in list(self._received):
            if at == path and matches(event):
                if not genuine:
                    raise StageFailed("A webhook came whose signature is wrong.")
                return True
        return False

    def wait_for(self, path: str, matches: Callable[[Event], bool], seconds: float) -> None:
        """Wait for a genuine event. Raises StageFailed, saying what came instead."""
        deadline = time.monotonic() + seconds
        while not self.has_genuine(path, matches):
            if time.monotonic() > deadline:
                raise StageFailed(
                    f"The webhook didn't come within {seconds:g} s; what came: "
                    f"{self.summary(path)}."
                )
            time.sleep(_POLL_SECONDS)

    def summary(self, path: str) -> str:
        """The types of what came."""
        types = sorted({event["type"] for at, event, _ in list(self._received) if at == path})
        return ", ".join(types) or "nothing"

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.rfile.read(int(headers.get("content-length") or 0))
        secret = self._secrets.get(request.path)
        # Not ours, or not any more: gone for good.
        status = 410
        if secret is not None:
            genuine = is_genuine(headers, body, secret)
            self._received.append((request.path, json.loads(body), genuine))
            status = 204 if genuine else 401
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()
