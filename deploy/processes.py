"""supervisord: starts and stops the processes of the slots."""

import http.client
import os
import signal
import socket
import time
import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.commands import StageFailed, tail
from deploy.layout import Layout

_POLL_SECONDS: Final = 0.1
_ALREADY_STARTED: Final = 60
_NOT_RUNNING: Final = 70
_STOPPED: Final = frozenset({"STOPPED", "EXITED", "FATAL"})
# After SIGKILL there's nothing left to wait for but the kernel.
_KILL_SECONDS: Final = 10.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


@dataclass(frozen=True)
class Process:
    """A program's process."""

    name: str
    state: str
    pid: int
    started: int
    reason: str

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING"

    @property
    def identity(self) -> tuple[int, int]:
        """Another one means that it was started anew."""
        return self.pid, self.started


class Processes:
    """supervisord's socket. Raises StageFailed where it doesn't answer."""

    def __init__(self, layout: Layout, secrets: set[str]) -> None:
        self._layout = layout
        self._secrets = secrets

    def of(self, name: str) -> Process:
        info = self._call("getProcessInfo", name)
        return Process(
            name,
            info["statename"],
            info["pid"],
            info["start"],
            info["spawnerr"] or info["description"],
        )

    def start(self, name: str) -> None:
        """Start it, without waiting; nothing if it runs already."""
        self._call("startProcess", name, False, tolerate=_ALREADY_STARTED)

    def wait_running(self, name: str, seconds: float) -> Process:
        """Wait until it has run for as long as its startsecs. Raises StageFailed if it ends."""
        deadline = time.monotonic() + seconds
        while not (process := self.check(name)).is_running:
            if time.monotonic() > deadline:
                raise StageFailed(f"{name} didn't start within {seconds:g} s.\n{self.logged(name)}")
            time.sleep(_POLL_SECONDS)
        return process

    def check(self, name: str) -> Process:
        """It runs or is about to; raises StageFailed, with what it logged, if it has ended."""
        process = self.of(name)
        if process.state not in {"STARTING", "RUNNING"}:
            raise StageFailed(
                f"{name} ended ({process.state}: {process.reason}).\n{self.logged(name)}"
            )
        return process

    def stop(self, names: Sequence[str], seconds: float) -> None:
        """Stop them, at the same time; who takes longer is killed with all its children."""
        for name in names:
            if self.of(name).state not in _STOPPED:
                self._call("stopProcess", name, False, tolerate=_NOT_RUNNING)
        deadline = time.monotonic() + seconds
        waiting = {name for name in names if self.of(name).state not in _STOPPED}
        killed: set[str] = set()
        while waiting:
            if time.monotonic() > deadline:
                if killed:
                    raise StageFailed(
                        f"{', '.join(sorted(waiting))} can't be stopped, not even with SIGKILL. "
                        f"Look at them: `ps -o pid,stat,wchan:20,args`."
                    )
                for name in waiting:
                    self._kill(name)
                killed = set(waiting)
                deadline = time.monotonic() + _KILL_SECONDS
            time.sleep(_POLL_SECONDS)
            waiting = {name for name in waiting if self.of(name).state not in _STOPPED}

    def _kill(self, name: str) -> None:
        """Its process group: gunicorn's workers too, which might be hanging."""
        if pid := self.of(name).pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def logged(self, name: str) -> str:
        """The end of its log since it was last started, and where that is."""
        log_file = self._layout.log(name)
        try:
            with log_file.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
                text = log.read().decode(errors="replace")
        except OSError:
            return f"    (there is no {log_file})"
        return f"The end of {log_file}:\n" + tail(text.rpartition("\nStarting ")[2], self._secrets)

    def _call(self, method: str, *arguments: Any, tolerate: int | None = None) -> Any:
        server = xmlrpc.client.ServerProxy(
            "http://localhost", transport=_UnixTransport(self._layout.supervisor_socket)
        )
        try:
            return getattr(server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == tolerate:
                return None
            raise StageFailed(
                f"supervisord refused {method} {arguments[0]}: {fault.faultString}"
            ) from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise StageFailed(
                f"supervisord doesn't answer on {self._layout.supervisor_socket}: {error}. Start "
                "its service (`python -m deploy.supervise --config ...`)."
            ) from error
