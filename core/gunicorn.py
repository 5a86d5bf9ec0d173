"""gunicorn's configuration: `gunicorn --config python:core.gunicorn core.wsgi`.

`manage.py serve` uses it, and adds where to listen and how many processes and threads. The names
are gunicorn's settings.
"""

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gunicorn import glogging

from core.logs import Formatter

# Threads, since requests wait for the database most of the time.
worker_class = "gthread"
workers = 2
threads = 4

# A worker that gives no sign of life; requests have the database's statement_timeout (30 s).
timeout = 60
graceful_timeout = 30
keepalive = 5
# Bounds what leaks; not all at once.
max_requests = 20_000
max_requests_jitter = 4_000
# A heartbeat on a disk can block for as long as the disk does.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

# Which proxies to believe is Django's business (CLAIMDRIFT_PROXIES).
forwarded_allow_ips = ""
control_socket_disable = True

# api.middleware writes one line for each request, without query strings and ids.
accesslog = None
errorlog = "-"
loglevel = "warning"


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's logger, writing through our formatter."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(Formatter())


logger_class = Logger

# Processes that sign with different keys would refuse each other's cursors and cookies.
if not os.environ.get("CLAIMDRIFT_SECRET_KEY_FILE"):
    os.environ.setdefault("CLAIMDRIFT_SECRET_KEY", secrets.token_urlsafe(48))

# Each process counts into files of its own; /metrics adds them up. prometheus_client asks for the
# folder as it is imported, which the workers do after this.
_own_folder = "PROMETHEUS_MULTIPROC_DIR" not in os.environ
if _own_folder:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="claimdrift-metrics-")
_folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])


def on_starting(server: Any) -> None:
    """Start with empty counters: those of a former run belong to processes that are gone."""
    _folder.mkdir(parents=True, exist_ok=True)
    for file in _folder.glob("*.db"):
        file.unlink(missing_ok=True)


def child_exit(server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    if _own_folder:
        shutil.rmtree(_folder, ignore_errors=True)
