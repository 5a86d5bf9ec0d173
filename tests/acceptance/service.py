"""A process that serves, what it printed, and what is left of it."""

import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from django.conf import settings

LIMIT: Final = 60.0  # seconds until a hang is called one; nothing depends on how long things take


class Service:
    """A process that serves, with what it printed."""

    def __init__(
        self, command: list[str], environment: dict[str, str], cwd: Path = settings.BASE_DIR
    ) -> None:
        self.process = subprocess.Popen(  # noqa: S603 (our own command)
            command,
            env={**os.environ, **environment},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = self.wait_for(r"Serving on (http://127\.0\.0\.1:\d+)\.")

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout:
            self.lines.extend(self.process.stdout)

    def wait_for(self, pattern: str) -> str:
        """The first group of what it prints; fails if it ends before."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            if ended := self.process.poll() is not None:
                self._reader.join(LIMIT)
            if match := re.search(pattern, "".join(self.lines)):
                return match[1]
            if ended:
                break
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"{pattern} was not printed:\n{''.join(self.lines)}")

    def family(self) -> list[int]:
        """Its own process and all that it started."""
        found = [self.process.pid]
        for parent in found:
            for task in Path(f"/proc/{parent}/task").glob("*/children"):
                found += [int(pid) for pid in task.read_text().split()]
        return found

    def wait(self) -> int:
        """Its exit code, once it ended."""
        code = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    def kill(self) -> None:
        for pid in self.family():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(LIMIT)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def all_gone(pids: list[int]) -> bool:
    """Whether all of them end."""
    deadline = time.monotonic() + LIMIT
    while any(map(is_alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
