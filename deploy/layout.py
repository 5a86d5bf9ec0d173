"""The places below `root`, and what lies there."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.config import SLOTS

NOBODY: Final = "none"
_LIVE: Final = re.compile(rf"live ({'|'.join((*SLOTS, NOBODY))})\n")


class Refused(Exception):
    """Nothing was done; the message says why and what to do."""


@dataclass(frozen=True)
class Layout:
    """Where everything is."""

    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def live_map(self) -> Path:
        return self.root / "live.map"

    @property
    def haproxy_socket(self) -> Path:
        return self.root / "run" / "haproxy.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.root / "run" / "supervisor.sock"

    def slot(self, name: str) -> Path:
        return self.root / "slots" / name

    def environment(self, slot: str) -> Path:
        """What the slot's processes are started with: as it was when the release was deployed.

        So a variable that only the next release knows can't keep this one from starting again.
        """
        return self.root / "slots" / f"{slot}.json"

    def log(self, program: str) -> Path:
        return self.root / "log" / f"{program}.log"

    def snapshot(self, deploy: str) -> Path:
        return self.root / "snapshots" / deploy

    def create(self) -> None:
        """Make what is missing."""
        self.root.mkdir(mode=0o750, parents=True, exist_ok=True)
        for name in ("slots", "snapshots", "run", "log"):
            (self.root / name).mkdir(mode=0o750, exist_ok=True)
        if not self.live_map.exists():
            self.write_live(None)

    def read_live(self) -> str | None:
        """The slot that gets the traffic; None before the first deploy. Raises Refused."""
        try:
            text = self.live_map.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(
                f"{self.live_map} can't be read ({error}). Is claimdrift's supervisor set up? "
                "docs/deployment.md says how."
            ) from error
        return parse_live(text, self.live_map)

    def write_live(self, slot: str | None) -> None:
        """Persist it for HAProxy's next start: all of it, or nothing."""
        replace_durably(self.live_map, f"live {slot or NOBODY}\n")

    def release_of(self, slot: str) -> Path | None:
        """The release that a slot holds."""
        link = self.slot(slot)
        return Path(os.readlink(link)) if link.is_symlink() else None

    def put(self, slot: str, release: Path | None) -> None:
        """Have the slot hold a release, or none."""
        link = self.slot(slot)
        if release is None:
            link.unlink(missing_ok=True)
            return
        new = link.with_name(f"{slot}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(release)
        new.replace(link)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One deployer at a time. Raises Refused if another one runs."""
        if not self.root.is_dir():
            raise Refused(f"There is no {self.root}: start claimdrift's supervisor first.")
        if (owner := self.root.stat().st_uid) != os.geteuid():
            raise Refused(f"Run this as the user that {self.root} belongs to (number {owner}).")
        with (self.root / "lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise Refused(
                    f"Another deploy runs (process {lock.read().strip() or 'unknown'}). Wait for "
                    "it; `--status` says how far it is."
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield


def parse_live(text: str, source: Path) -> str | None:
    """The slot that HAProxy's map file names. Raises Refused if it names none of ours."""
    match = _LIVE.fullmatch(text)
    if not match:
        raise Refused(
            f"{source} must be one line: `live blue`, `live green` or `live none`. Write the slot "
            "that has the traffic there; `--status` shows which processes run."
        )
    return None if match[1] == NOBODY else match[1]


def replace_durably(file: Path, text: str, mode: int = 0o640) -> None:
    """Write a file so that a crash leaves the old text or the new one."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT, mode), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
