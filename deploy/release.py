"""A release: a directory with the project and a virtual environment; what can be asked of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.commands import StageFailed, run

_PROBE: Final = (Path(__file__).parent / "probe.py").read_text(encoding="utf-8")
_PARTS: Final = ("manage.py", "core", "api", ".venv/bin/python")


@dataclass(frozen=True)
class Migration:
    """One of a release's migrations."""

    app: str
    name: str
    is_atomic: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.app, self.name


@dataclass(frozen=True)
class Release:
    """A release in a directory. `secrets` are kept out of what is reported of its output."""

    path: Path
    secrets: frozenset[str]

    @property
    def name(self) -> str:
        return self.path.name

    def check_complete(self) -> None:
        """Raise StageFailed unless it looks like a release."""
        if missing := [part for part in _PARTS if not (self.path / part).exists()]:
            raise StageFailed(
                f"{self.path} is no release: it lacks {', '.join(missing)}. It must hold the "
                "project and a .venv with its requirements."
            )

    def manage(
        self, *arguments: str, environment: Mapping[str, str], seconds: float, text: str = ""
    ) -> str:
        """Run its manage.py; what it printed. Raises StageFailed."""
        return run(
            [str(self.path / ".venv/bin/python"), "manage.py", *arguments],
            what=f"`manage.py {arguments[0]}` of {self.name}",
            environment=environment,
            cwd=self.path,
            seconds=seconds,
            text=text,
            secrets=self.secrets,
        )

    def probe(
        self, environment: Mapping[str, str], seconds: float, *, plan_only: bool = False
    ) -> tuple[list[Migration], set[tuple[str, str]]]:
        """Its migrations in order, and all that it knows (those that were squashed too).

        Checks first that it can be imported. Raises StageFailed. `plan_only`: without the checks,
        for a release that is known to be bad.
        """
        printed = run(
            [str(self.path / ".venv/bin/python"), "-"],
            what=f"Reading {self.path}",
            environment={**environment, "DEPLOY_PROBE": "--plan-only" if plan_only else ""},
            cwd=self.path,
            seconds=seconds,
            text=_PROBE,
            secrets=self.secrets,
        )
        # What else it prints as it is imported comes before.
        found = json.loads(printed.splitlines()[-1])
        plan = [Migration(*entry) for entry in found["plan"]]
        return plan, {(app, name) for app, name in found["known"]}
