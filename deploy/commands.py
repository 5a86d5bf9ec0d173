"""Runs programs for the deployer: with an end, no leftovers, and no secrets in its reports."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LINES: Final = 15


class StageFailed(Exception):
    """A stage failed; the message says what happened, where, and what to do if there is something.

    It is in the journal and in notifications: it holds no secret.
    """


def run(
    command: Sequence[str],
    *,
    what: str,
    environment: Mapping[str, str],
    cwd: Path,
    seconds: float,
    text: str = "",
    secrets: frozenset[str] | set[str] = frozenset(),
) -> str:
    """Run it; its standard output. Raises StageFailed, beginning with `what`, if that fails.

    It ends when this process does, however that ends.
    """
    process = subprocess.Popen(  # noqa: S603 (no shell; our own commands)
        command,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        # Ctrl-C is for the deployer, who takes back what it did in order.
        start_new_session=True,
        preexec_fn=_follow_parent,  # safe: nothing of ours holds a lock that it could need
    )
    try:
        output, errors = process.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        output, errors = process.communicate()
        raise StageFailed(
            f"{what} took longer than {seconds:g} s and was ended.\n"
            + tail(errors or output, secrets)
        ) from None
    finally:
        if process.poll() is None:
            _kill(process)
            process.communicate()
    if process.returncode:
        raise StageFailed(
            f"{what} failed ({_ending(process.returncode)}).\n{tail(errors or output, secrets)}"
        )
    return output


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def tail(text: str, secrets: frozenset[str] | set[str], lines: int = _LINES) -> str:
    """The last lines, without the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    kept = [line.rstrip()[:500] for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(f"    {line}" for line in kept) or "    (it said nothing)"


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _follow_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
