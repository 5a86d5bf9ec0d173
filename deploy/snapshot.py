"""What the database was before a deploy, in files, and how it differs from that."""

import difflib
import itertools
import json
from pathlib import Path
from typing import Final

from deploy.commands import StageFailed
from deploy.database import Database, Functions

_DIFFERENCES: Final = 30


class Snapshot:
    """What the database was before a deploy, in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def is_complete(self) -> bool:
        return (self._folder / "complete").exists()

    def take(self, database: Database) -> str:
        """Write it down; a sentence about it."""
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        migrations = sorted(database.migrations())
        functions = database.functions()
        self._write("schema.sql", database.dump())
        self._write("functions.json", json.dumps(functions, indent=1))
        self._write("migrations.json", json.dumps(migrations, indent=1))
        self._write("invalid.json", json.dumps(database.invalid_indexes()))
        self._write("complete", "")
        return f"{len(functions)} functions, {len(migrations)} migrations, in {self._folder}"

    @property
    def functions(self) -> Functions:
        found: Functions = json.loads(self._read("functions.json"))
        return found

    @property
    def migrations(self) -> set[tuple[str, str]]:
        return {(app, name) for app, name in json.loads(self._read("migrations.json"))}

    def differences(self, database: Database) -> list[str]:
        """What isn't as it was, in lines; none if all is."""
        found = []
        before, after = self._read("schema.sql"), database.dump()
        if _in_order(before) != _in_order(after):
            self._write("schema-after.sql", after)
            lines = difflib.unified_diff(
                _in_order(before), _in_order(after), "before", "now", lineterm="", n=2
            )
            shown = [line[:200] for line in lines]
            found += ["The schema:", *(f"    {line}" for line in shown[:_DIFFERENCES])]
            if len(shown) > _DIFFERENCES:
                found.append("    ...")
            found.append(f"    (all of it: diff -u {self._folder}/schema{{,-after}}.sql)")
        now = database.functions()
        found += [f"The function {s}" for s in sorted(self.functions.keys() | now.keys())
                  if self.functions.get(s) != now.get(s)]  # fmt: skip
        new = set(database.invalid_indexes()) - set(json.loads(self._read("invalid.json")))
        found += [f"The invalid index {name}" for name in sorted(new)]
        migrations = database.migrations()
        found += [f"The migration {app}.{name} (applied, and wasn't)"
                  for app, name in sorted(migrations - self.migrations)]  # fmt: skip
        found += [f"The migration {app}.{name} (not applied, and was)"
                  for app, name in sorted(self.migrations - migrations)]  # fmt: skip
        return found

    def _read(self, name: str) -> str:
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except OSError as error:
            raise StageFailed(f"The snapshot can't be read: {error}.") from error

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")


def _in_order(dump: str) -> list[str]:
    """The dump's lines; who was granted something first, among several, makes no difference."""
    lines: list[str] = []
    for is_grant, group in itertools.groupby(
        dump.splitlines(), key=lambda line: line.startswith("GRANT ")
    ):
        found = list(group)
        lines += sorted(found) if is_grant else found
    return lines
