"""What the Dockerfile's last stage holds, put together in a folder without a container engine."""

import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests.core.test_dockerfile import STAGES


def _run(command: str, folder: Path) -> None:
    # `python` is the base image's, not this virtual environment's.
    python = Path(sys.base_prefix) / "bin"
    result = subprocess.run(  # noqa: S603 (the Dockerfile's own text)
        ["sh", "-euc", command],  # noqa: S607
        cwd=folder,
        env={"PATH": f"{python}:/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, (command, result.stderr)


def _copy(values: tuple[str, ...], source: Path, target: Path) -> None:
    """COPY, without what .dockerignore leaves out."""
    *names, place = values
    for name in names:
        found, wanted = source / name, target / place
        if found.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(found, wanted, ignore=ignored, symlinks=True)
        else:
            shutil.copy2(found, wanted)


def build(folder: Path) -> list[str]:
    """Carry out the Dockerfile's steps in an empty folder; the command that the image runs.

    Both stages have the same folder, as they have in the Dockerfile: a virtual environment knows
    where it lies.
    """
    for name in ("packages", "application"):
        for instruction, values, _ in STAGES[name].instructions:
            if instruction == "COPY" and values[0].startswith("--from="):
                for left in folder.iterdir():
                    if left.name != Path(values[-1]).name:
                        left.unlink()
            elif instruction == "COPY":
                _copy(values, settings.BASE_DIR, folder)
            elif instruction == "RUN" and "pip uninstall" not in values[0]:
                _run(values[0], folder)
    return list(STAGES["application"].last("CMD"))
