"""Runs of the deployer as a process, and what it wrote down of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.deploy.releases import Release

# Only so that a hang is called one.
LIMIT: Final = 240.0


@dataclass(frozen=True)
class Rollout:
    """A run that ended: its exit code, what it printed, its entries in the journal."""

    release: Release
    code: int
    output: str
    began: float
    ended: float
    entries: list[dict[str, Any]]

    @property
    def caught_by(self) -> str | None:
        """The stage that failed first."""
        return next((e["stage"] for e in self.entries if e["status"] == "failed"), None)

    def moment(self, stage: str, status: str) -> float:
        """When a stage began, or was done."""
        [at] = [e["at"] for e in self.entries if (e["stage"], e["status"]) == (stage, status)]
        return datetime.fromisoformat(at).timestamp()

    def followed_by(self, other: "Rollout") -> "Rollout":
        """Both as one, which ended as the other did."""
        return replace(
            other,
            began=self.began,
            output=self.output + other.output,
            entries=self.entries + other.entries,
        )

    def __str__(self) -> str:
        seconds = self.ended - self.began
        return f"{self.release.name}: exit {self.code} after {seconds:.1f} s\n{self.output}"


class Deployer:
    """A copy of deploy/ (the real one, unless a test changed it) and its configuration."""

    def __init__(self, directory: Path, config: Path, journal: Path) -> None:
        self.directory = directory
        self._config = config
        self._journal = journal

    def deploy(self, release: Release) -> Rollout:
        return self._run(release, str(release.path))

    def recover(self, release: Release) -> Rollout:
        """What a person does after the deployer of this release was killed."""
        return self._run(release, "--recover")

    def interrupt(
        self,
        release: Release,
        stage: str,
        number: signal.Signals,
        when: Callable[[], bool] = lambda: True,
    ) -> Rollout:
        """Start to deploy, and send a signal as soon as a stage has begun and it is so."""
        return self._run(release, str(release.path), interruption=(stage, number, when))

    def entries(self, skip: int = 0) -> list[dict[str, Any]]:
        """The journal's entries; the last may be half written."""
        if not self._journal.exists():
            return []
        lines = self._journal.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines[skip:]]

    def _run(
        self,
        release: Release,
        *arguments: str,
        interruption: tuple[str, signal.Signals, Callable[[], bool]] | None = None,
    ) -> Rollout:
        known = len(self.entries())
        began = time.time()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "deploy", *arguments, f"--config={self._config}"],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            if interruption:
                stage, number, when = interruption
                self._wait_for_begin(process, stage, known)
                while not when():
                    assert process.poll() is None, f"{stage}: {self._output(process)}"
                    time.sleep(0.01)
                process.send_signal(number)
            output = self._output(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Rollout(release, process.returncode, output, began, time.time(), self.entries(known))

    def _output(self, process: "subprocess.Popen[str]") -> str:
        """What it printed, once it ended. What it started may live on and hold the pipe."""
        assert process.stdout
        process.wait(LIMIT)
        os.set_blocking(process.stdout.fileno(), False)
        with process.stdout as stream:
            return stream.read() or ""

    def _wait_for_begin(self, process: "subprocess.Popen[str]", stage: str, known: int) -> None:
        deadline = time.monotonic() + LIMIT
        while not any(
            (entry["stage"], entry["status"]) == (stage, "begin") for entry in self.entries(known)
        ):
            assert process.poll() is None, f"it ended before {stage}: {self._output(process)}"
            assert time.monotonic() < deadline, f"{stage} was never begun"
            time.sleep(0.01)
