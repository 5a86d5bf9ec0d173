"""The demo's end: a receiver such as a customer runs, and a worker that delivers to it.

The receiver checks signatures by itself, as docs/webhooks.md says, and not with the code that made
them.
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from django.conf import settings
from procrastinate.contrib.django.models import ProcrastinateJob

from core import functions
from core.models import AlertTransition, Customer, DriftRun, Upload, WebhookDelivery
from core.webhooks import secrets

# A sender's clock and ours may differ by as much; what is older may be a repeated recording.
TOLERANCE_SECONDS: Final = 300
STOP_SECONDS: Final = 40.0  # more than the worker's shutdown_graceful_timeout
DELIVERY_SECONDS: Final = 60.0

# What an event is about: its type and the ids that its data have.
Subject = tuple[str, ...]


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether a request was signed with an endpoint's secret, and lately."""
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join([message_id.encode(), sent.encode(), body])
    expected = b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
    return any(
        hmac.compare_digest(expected, signature.encode())
        for signature in headers.get("webhook-signature", "").split(" ")
    )


@dataclass(frozen=True)
class Received:
    """A request that came in."""

    path: str
    message_id: str
    event: dict[str, Any]
    verified: bool

    @property
    def subject(self) -> Subject:
        data = self.event["data"]
        names = ("alert_id", "version", "drift_run_id", "upload_id")
        return (self.event["type"], *(str(data[name]) for name in names if name in data))


class Receiver:
    """Listens on a free port of 127.0.0.1 and keeps what comes. Use as a context manager."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._secrets: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections are kept

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                secret = receiver._secrets.get(self.path, "")
                headers = {name.lower(): value for name, value in self.headers.items()}
                verified = is_genuine(headers, body, secret)
                receiver.received.append(
                    Received(self.path, self.headers["webhook-id"], json.loads(body), verified)
                )
                self.send_response(204 if verified else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def subscribe(self, customer: Customer) -> int:
        """Have all of a customer's events sent here. Returns the endpoint's id."""
        secret = secrets.create(customer_id=customer.pk)
        path = f"/{customer.slug}"
        self._secrets[path] = secret.text
        return functions.webhooks_create_endpoint(
            customer_id=customer.pk,
            url=f"http://127.0.0.1:{self._server.server_port}{path}",
            description="The demo's receiver, which is gone when the demo ends",
            event_types=[],
            max_in_flight=None,
            ciphertext=secret.ciphertext,
            key_id=secret.key_id,
        )

    def of(self, customer: Customer) -> list[Received]:
        return [received for received in self.received if received.path == f"/{customer.slug}"]


class WorkerFailed(Exception):
    """The worker ended by itself, or with an error, or didn't deliver."""


class Worker:
    """A worker that may deliver to this machine."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._process = subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "procrastinate", "worker"],
            env={**os.environ, "CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK": "true"},
            stdin=subprocess.DEVNULL,
            stderr=log,
            # Ctrl-C is for the demo, which then ends this.
            start_new_session=True,
        )

    def wait_until_idle(self, customers: Sequence[Customer]) -> None:
        """Wait until nothing is left to do for these customers. Raises WorkerFailed."""
        deadline = time.monotonic() + DELIVERY_SECONDS
        waiting = WebhookDelivery.objects.filter(customer__in=customers, status="pending")
        jobs = ProcrastinateJob.objects.filter(
            args__customer_id__in=[c.pk for c in customers], status__in=["todo", "doing"]
        )
        while waiting.exists() or jobs.exists():
            if self._process.poll() is not None:
                raise WorkerFailed(f"The worker ended by itself:\n{self.logged()}")
            if time.monotonic() > deadline:
                raise WorkerFailed(f"Not all was delivered:\n{self.logged()}")
            time.sleep(0.05)

    def stop(self) -> int:
        """Tell it to end, as a service manager does. Returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def logged(self) -> str:
        self._log.seek(0)
        text: str = self._log.read()
        return text


@contextmanager
def working() -> Iterator[Worker]:
    """A worker. It is told to end on leaving, if it still runs."""
    with tempfile.TemporaryFile("w+") as log:
        worker = Worker(log)
        try:
            yield worker
        finally:
            worker.stop()


def to_be_told(customer: Customer) -> list[Subject]:
    """What must have arrived: each transition of an alert that isn't muted, each run and upload."""
    transitions = AlertTransition.objects.filter(customer=customer, alert__muted=False)
    ended = {"status__in": ["completed", "failed"], "customer": customer}
    told: list[Subject] = [
        (f"alert.{'resolved' if t.kind == 'cleared' else t.kind}", str(t.alert_id), str(t.version))
        for t in transitions
    ]
    told += [(f"drift_run.{run.status}", str(run.pk)) for run in DriftRun.objects.filter(**ended)]
    told += [(f"upload.{file.status}", str(file.pk)) for file in Upload.objects.filter(**ended)]
    return told
