"""Run the API and a worker side by side, until a signal or the end of one of them.

Each is started in a process group of its own, so that Ctrl-C reaches this process alone, which
then ends them in order. What they leave behind is killed, and so are they when this process is.
"""

import contextlib
import ctypes
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from django.conf import settings

STOPPED_BY: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCHED: Final = {*STOPPED_BY, signal.SIGCHLD}
# More than gunicorn's graceful_timeout and the worker's shutdown_graceful_timeout.
_GRACE_SECONDS: Final = 40.0
_SAME_SECONDS: Final = 1.0
_READY_SECONDS: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1


class ServingError(Exception):
    """The processes couldn't be started, or one of them ended by itself."""


def listen(address: str) -> socket.socket:
    """A socket that listens on HOST:PORT (port 0: any). Raises ServingError, saying what to do."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ServingError(f"{address} isn't HOST:PORT, such as 127.0.0.1:8000.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServingError(
                f"Another process listens on {address} already. Stop it, or choose another "
                "address with --bind HOST:PORT."
            ) from None
        raise ServingError(f"Can't listen on {address}: {error.strerror}.") from None
    return listener


class Processes:
    """The processes that serve; use as a context manager. Nothing of them is left on leaving."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Processes":
        # Taken by `wait` alone, so that none gets lost in between. A script's background jobs are
        # born with SIGINT ignored; that is undone, or nothing but SIGTERM would end this.
        self._former_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        self._former = {
            number: signal.signal(number, lambda number, frame: None) for number in _WATCHED
        }
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()
        for number, handler in self._former.items():
            signal.signal(number, handler)
        while signal.sigtimedwait(_WATCHED, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._former_mask)

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start one; `name` is what messages call it."""
        self._processes[name] = subprocess.Popen(  # noqa: S603 (our own commands)
            command,
            env=environment,
            cwd=settings.BASE_DIR,
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_follow_parent,  # safe: this process has one thread
        )

    def wait(self, seconds: float | None = None) -> signal.Signals | None:
        """Wait for a signal to stop; None after `seconds`. Raises ServingError if a process ends.

        A second signal, while they end, kills them.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            left = 3600.0 if deadline is None else deadline - time.monotonic()
            if left < 0:
                return None
            received = signal.sigtimedwait(_WATCHED, left)
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise ServingError(f"{name} ended by itself ({_ending(process.returncode)}).")
            if received is not None and received.si_signo in STOPPED_BY:
                return signal.Signals(received.si_signo)

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        began = time.monotonic()
        while any(process.poll() is None for process in self._processes.values()):
            passed = time.monotonic() - began
            received = signal.sigtimedwait(_WATCHED, 0.2)
            impatient = (
                received is not None
                and received.si_signo in STOPPED_BY
                # make passes SIGTERM on to us, who have got it already.
                and passed > _SAME_SECONDS
            )
            if impatient or passed > _GRACE_SECONDS:
                break
        for process in self._processes.values():
            # Its group: gunicorn's own processes, should it have had no time to end them.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _follow_parent() -> None:
    """In the new process: signals as they are by default, and SIGTERM when the parent dies."""
    for number in STOPPED_BY:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def start_api(
    processes: Processes, listener: socket.socket, environment: Mapping[str, str]
) -> None:
    """Start gunicorn on the socket."""
    processes.start(
        "The API (gunicorn)",
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--config=python:core.gunicorn",
            f"--bind=fd://{listener.fileno()}",
            f"--workers={settings.WEB_PROCESSES}",
            f"--threads={settings.WEB_THREADS}",
            "core.wsgi:application",
        ],
        environment,
        pass_fds=[listener.fileno()],
    )


def start_worker(processes: Processes, environment: Mapping[str, str]) -> None:
    """Start the worker of the queue."""
    processes.start(
        "The worker",
        [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "procrastinate", "worker"],
        environment,
    )


def wait_until_ready(processes: Processes, listener: socket.socket) -> signal.Signals | None:
    """Wait until the API says that it is ready; the signal, if one came first."""
    host, port = listener.getsockname()[:2]
    # It answers to its own names only.
    name = next((n.lstrip(".") for n in settings.ALLOWED_HOSTS if n != "*"), "localhost")
    deadline = time.monotonic() + _READY_SECONDS
    answer = "no answer"
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", "/health/ready", headers={"Host": name})
            response = connection.getresponse()
            if response.status == 200:
                return None
            answer = response.read(1000).decode(errors="replace")
        except OSError:
            pass
        finally:
            connection.close()
        if (received := processes.wait(0.2)) is not None:
            return received
    raise ServingError(f"The API didn't become ready: {answer}")
