"""Releases to deploy: directories with this project's own files, changed where a test says so.

Each says its name in every answer (`X-Release`) and in every webhook it sends (`User-Agent`), so
that a test can tell who it was.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

HEADER = "X-Release"


def project_files(base: Path = settings.BASE_DIR) -> list[Path]:
    """The project's files, relative to `base`: all that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=base,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = {name for name in listed.split("\0") if name}
    return sorted(Path(name) for name in names if (base / name).is_file())


@dataclass(frozen=True)
class Release:
    """A release's directory, which is named as the release is."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def patch(self, file: str, old: str, new: str) -> None:
        """Replace a text of a file, which has to be there exactly once."""
        target = self.path / file
        text = target.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} of {self.name} has {text.count(old)} times: {old}"
        target.write_text(text.replace(old, new), encoding="utf-8")

    def add(self, file: str, text: str) -> None:
        """Write a file that isn't there yet."""
        target = self.path / file
        assert not target.exists(), f"{file} is in {self.name} already"
        target.write_text(text, encoding="utf-8")

    def newest_migration(self) -> str:
        """The last migration of core."""
        names = [file.stem for file in (self.path / "core/migrations").glob("[0-9]*.py")]
        return max(names)

    def add_migration(self, label: str, operations: str, *, atomic: bool = True) -> str:
        """Write the migration that follows the newest; its name. `operations` is Python."""
        newest = self.newest_migration()
        name = f"{int(newest[:4]) + 1:04}_{label}"
        self.add(
            f"core/migrations/{name}.py",
            "import django_migrate_sql.operations\n"
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            f"    atomic = {atomic}\n"
            f"    dependencies = [('core', '{newest}')]\n"
            f"    operations = [{operations}]\n",
        )
        return name


def first_release(path: Path) -> Release:
    """A release of the files as they are here."""
    base: Path = settings.BASE_DIR
    for file in project_files(base):
        # Tests and benchmarks are the bulk of it, and nothing that runs reads them.
        if file.parts[0] in {"tests", "perf"}:
            continue
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(base / file, path / file)
    (path / ".venv").symlink_to((base / ".venv").resolve())
    release = Release(path)
    release.patch(
        "api/middleware.py",
        '    "Cache-Control": "no-store",\n',
        f'    "Cache-Control": "no-store",\n    "{HEADER}": "{release.name}",\n',
    )
    release.patch("core/webhooks/sender.py", 'f"claimdrift/1.0 (', f'f"{release.name}/1.0 (')
    return release


def next_release(former: Release, name: str) -> Release:
    """A release like another, but for its name."""
    path = former.path.with_name(name)
    shutil.copytree(former.path, path, symlinks=True)
    release = Release(path)
    release.patch(
        "api/middleware.py", f'"{HEADER}": "{former.name}"', f'"{HEADER}": "{release.name}"'
    )
    release.patch("core/webhooks/sender.py", f'f"{former.name}/1.0 (', f'f"{release.name}/1.0 (')
    return release
