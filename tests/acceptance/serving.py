"""The API as processes, for tests that only want to ask it something."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.service import Service


@contextmanager
def serving(web_url: str, **environment: str) -> Iterator[str]:
    """`manage.py serve`, without a worker, on a free port of 127.0.0.1; yields its address."""
    service = Service(
        [sys.executable, "manage.py", "serve", "--bind=127.0.0.1:0", "--no-worker"],
        {"DATABASE_URL": web_url, "CLAIMDRIFT_ACCESS_LOG": "false", **environment},
    )
    try:
        yield service.url
        service.process.terminate()
        assert service.wait() == 0, "".join(service.lines)
    finally:
        service.kill()
