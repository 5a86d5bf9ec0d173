"""python -m deploy.launch web|worker|canary SLOT: becomes a process of the release in a slot.

supervisord runs it. It needs the slot alone: a configuration that somebody is changing, or a file
that is gone, can't keep a release from starting again.
"""

import json
import os
import sys
from pathlib import Path
from typing import Final

from deploy.environment import of_the_host
from deploy.layout import Layout

QUEUE: Final = "canary"


def command(kind: str, python: str, port: str, environment: dict[str, str]) -> list[str]:
    """What to run in the release's folder."""
    if kind == "web":
        return [
            python,
            "-m",
            "gunicorn",
            "--config=python:core.gunicorn",
            f"--bind=127.0.0.1:{port}",
            f"--workers={environment.get('CLAIMDRIFT_WEB_PROCESSES', '2')}",
            f"--threads={environment.get('CLAIMDRIFT_WEB_THREADS', '4')}",
            "core.wsgi:application",
        ]
    worker = [python, "manage.py", "procrastinate", "worker"]
    return [*worker, "--queues", QUEUE] if kind == "canary" else worker


def main(kind: str, slot: str) -> None:
    layout = Layout(Path(os.environ["DEPLOY_ROOT"]))
    variables = json.loads(layout.environment(slot).read_text(encoding="utf-8"))
    # The release's own, and of this process's nothing but what every program needs.
    environment = of_the_host() | variables["web" if kind == "web" else "worker"]
    release = layout.slot(slot).resolve(strict=True)
    if kind == "web":
        metrics = layout.root / "run" / f"metrics-{slot}"
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    os.chdir(release)
    port = os.environ[f"DEPLOY_{slot.upper()}"]
    python = str(release / ".venv" / "bin" / "python")
    arguments = command(kind, python, port, environment)
    print(f"Starting {kind} of {release.name}", file=sys.stderr, flush=True)
    os.execve(arguments[0], arguments, environment)  # noqa: S606 (our own command)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"Can't start: {error!r}")
