"""What a deploy works with, and what it is about."""

import os
import secrets
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from deploy.config import SLOTS, Config
from deploy.database import Database
from deploy.environment import Environments
from deploy.journal import DEPLOY, Journal, Record
from deploy.layout import Layout
from deploy.notify import Notifier
from deploy.processes import Processes
from deploy.release import Release
from deploy.snapshot import Snapshot
from deploy.traffic import Traffic


@dataclass(frozen=True)
class Deployment:
    """A release on its way to a slot, and what was there before."""

    id: str
    release: str
    slot: str
    live: str | None
    live_release: str | None
    former: str | None
    repair: bool

    @classmethod
    def plan(cls, release: Path, layout: Layout, *, repair: bool) -> Self:
        """To the slot that isn't live."""
        live = layout.read_live()
        slot = next(name for name in SLOTS if name != live)
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        return cls(
            id=f"{moment}-{secrets.token_hex(2)}",
            release=str(release),
            slot=slot,
            live=live,
            live_release=_text(layout.release_of(live)) if live else None,
            former=_text(layout.release_of(slot)),
            repair=repair,
        )

    @classmethod
    def recorded(cls, records: list[Record]) -> Self:
        """As its first record in the journal has it."""
        names = cls.__dataclass_fields__.keys() - {"id"}
        first = next(r for r in records if r["stage"] == DEPLOY and r["status"] == "begin")
        return cls(id=first["deploy"], **{name: first[name] for name in names})

    def record(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "id"}


class Host:
    """This machine: its configuration, and what there is to work with. Raises ConfigError."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layout = Layout(config.root)
        self.environments = Environments(config)
        self.secrets = self.environments.secrets()
        self.journal = Journal(self.layout.journal)
        self.database = Database(config, self.environments, config.root)
        self.traffic = Traffic(self.layout)
        self.processes = Processes(self.layout, self.secrets)
        self.notifier = Notifier(config, self.say)

    def release(self, path: str) -> Release:
        return Release(Path(path), frozenset(self.secrets))

    def snapshot(self, deployment: Deployment) -> Snapshot:
        return Snapshot(self.layout.snapshot(deployment.id))

    def say(self, line: str) -> None:
        """Report to whoever runs this, and to log/deploy.log.

        A terminal that is gone, or a full disk, is no reason to leave a deploy half-way.
        """
        with suppress(OSError), self.layout.log("deploy").open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")
        try:
            print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
        except OSError:
            # What it still holds would fail again as this process ends.
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
