"""docs/operations.md, taken apart, and its commands run as somebody would paste them."""

import os
import pwd
import re
import subprocess
from pathlib import Path
from typing import Final

from django.conf import settings

from core.embedded import EmbeddedServer

PAGE: Final = (settings.BASE_DIR / "docs/operations.md").read_text(encoding="utf-8")


def block(title: str, language: str = "sh", holding: str = "") -> str:
    """The example below a heading that holds a text."""
    [section] = re.findall(rf"^##+ {title}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    [found] = [text for text in blocks if holding in text]
    return str(found)


def owned(server: EmbeddedServer, folder: Path) -> Path:
    """Give a folder to the system user that the server runs as."""
    if server.run_as:
        account = pwd.getpwnam(server.run_as)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)
    return folder


def paste(
    server: EmbeddedServer, script: str, *, cwd: Path = Path("/"), **variables: object
) -> "subprocess.CompletedProcess[str]":
    """Run commands as the server's system user, at home on the server."""
    account = pwd.getpwnam(server.run_as) if server.run_as else None
    return subprocess.run(  # noqa: S603 (the page's own text)
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        cwd=cwd,
        env={
            "PATH": f"{server.bin_dir}:/usr/bin:/bin",
            "PGHOST": str(server.socket_dir),
            "PGUSER": server.superuser,
            "LC_ALL": "C",
            **{name: str(value) for name, value in variables.items()},
        },
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        capture_output=True,
        text=True,
        check=False,
    )


def done(server: EmbeddedServer, script: str, *, cwd: Path = Path("/"), **variables: object) -> str:
    """What the commands print, none of which may fail."""
    result = paste(server, script, cwd=cwd, **variables)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout
