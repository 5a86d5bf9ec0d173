"""A worker whose URL lies in a file."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from tests.acceptance.working import Process, stop


@contextmanager
def worker_reading(folder: Path) -> Iterator[Process]:
    """A worker that finds its URL in `folder`; ends as it should."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "procrastinate", "worker"],
        env={
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DATABASE_URL_FILE": str(folder / "worker_url"),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        assert stop(process) == ""
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()
