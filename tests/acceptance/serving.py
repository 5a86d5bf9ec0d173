"""The product as processes: the API, and a worker where it takes one."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from django.conf import settings

READY_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(web_url: str, worker_url: str | None = None) -> Iterator[str]:
    """`manage.py serve` on a free port of 127.0.0.1; yields the address."""
    port = free_port()
    environment = {**os.environ, "DATABASE_URL": web_url}
    command = [sys.executable, "manage.py", "serve", f"--bind=127.0.0.1:{port}"]
    if worker_url is None:
        command.append("--no-worker")
    else:
        environment["CLAIMDRIFT_WORKER_DATABASE_URL"] = worker_url
    process = subprocess.Popen(  # noqa: S603
        command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "serve ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=10):  # noqa: S310
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("serve didn't become ready")
