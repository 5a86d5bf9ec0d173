"""What a stranger does first: the README, word by word, in a copy with a server of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import Request, urlopen

import psycopg2
import pytest
from django.conf import settings

from core import tokens
from core.embedded import WEB, EmbeddedServer
from tests.acceptance.service import LIMIT, Service, all_gone
from tests.database import Database
from tests.tenancy.access import AUTHENTICATE

ROOT: Path = settings.BASE_DIR
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
REQUESTS = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
SQL_BLOCK = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Clone:
    """A copy of the working tree that shares its virtual environment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = EmbeddedServer.for_clone(directory)
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        (directory / ".venv").symlink_to(ROOT / ".venv")

    def run(self, script: str, standard_input: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "MAKEFLAGS"}
        }
        return subprocess.run(  # noqa: S603 (the README's own text)
            ["bash", "-euc", script],  # noqa: S607
            cwd=self.directory,
            env=environment,
            input=standard_input,
            capture_output=True,
            text=True,
            check=False,
        )

    def remove(self) -> None:
        self.server.stop()
        if self.server.home.parent.name == "claimdrift":
            shutil.rmtree(self.server.home, ignore_errors=True)


def first_alert(url: str, token: str) -> int:
    request = Request(  # noqa: S310 (http)
        f"{url}/api/v1/alerts?ordering=id", headers={"Authorization": f"Bearer {token}"}
    )
    with urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
        alert_id: int = json.load(answer)["results"][0]["id"]
    return alert_id


def ask(clone: Clone, url: str, token: str) -> None:
    """The README's requests, with curl, are answered as it says."""
    [block] = REQUESTS.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    block = block.replace("http://127.0.0.1:8000", url)
    block = block.replace("cd_the-token-that-make-run-printed", token)
    # The id is an example: use the first alert's.
    block = block.replace("/alerts/1/", f"/alerts/{first_alert(url, token)}/")
    block = block.replace("curl -sS", "curl -sS --fail-with-body -w '\\n'")

    result = clone.run(block)

    assert result.returncode == 0, result.stdout + result.stderr
    alerts, explanation, acknowledged, upload, summary = map(json.loads, result.stdout.splitlines())
    assert [alert["payer_name"] for alert in alerts["results"]] == ["Cigna", "Aetna"]
    assert any("Verdict: drifted up" in line for line in explanation["lines"])
    assert acknowledged["status"] == "acknowledged"
    assert upload["status"] == "received"
    assert summary["results"][0]["payer_name"] == "Tricare"


def run_and_interrupt(clone: Clone) -> str:
    """What `make run` printed until Ctrl-C, of which nothing may be left."""
    service = Service(["make", "run", "BIND=127.0.0.1:0"], {}, clone.directory)
    try:
        family = service.family()
        token = service.wait_for(r"token +(cd_\S{43})\n")
        with urlopen(f"{service.url}/health/ready", timeout=LIMIT) as answer:  # noqa: S310 (http)
            assert answer.status == 200
        with closing(psycopg2.connect(clone.server.url(WEB))) as web:
            found = Database(web).one(AUTHENTICATE, tokens.digest(token))
        assert (found["scope"], found["role"]) == ("write", "admin")

        ask(clone, service.url, token)

        os.killpg(service.process.pid, signal.SIGINT)

        service.wait()
        assert all_gone(family)
        assert not clone.server.is_running()
        text = "".join(service.lines)
        assert f"{service.url}/api/v1/docs" in text
        return text
    finally:
        service.kill()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    clone = Clone(tmp_path_factory.mktemp("clone") / "claimdrift")
    yield clone
    clone.remove()


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_demo_finds_what_it_should_and_leaves_nothing_running(clone: Clone) -> None:
    demo = clone.run("make demo")

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "✗" not in demo.stdout
    assert "not a row was added or changed" in demo.stdout
    assert "all that happened was told, each of it once" in demo.stdout
    assert re.search(r"demo-harbor-family +\W alert\.opened +\W 2 +\W 2 +\W 2 ", demo.stdout)
    assert not clone.server.is_running()


def test_the_demo_can_be_run_again(clone: Clone) -> None:
    demo = clone.run("make demo")

    assert demo.returncode == 0, demo.stdout + demo.stderr


def test_make_run_serves_the_demos_data_and_leaves_nothing_running(clone: Clone) -> None:
    text = run_and_interrupt(clone)

    assert "Loading the demo" not in text


def test_make_run_refuses_a_port_in_use_before_it_starts_anything(clone: Clone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        result = clone.run(f"make run BIND={address}")

    assert result.returncode != 0
    assert f"Another process listens on {address} already." in result.stderr
    assert not clone.server.is_running()


def test_the_demo_refuses_a_database_that_is_not_its_own(clone: Clone) -> None:
    demo = clone.run(
        "DATABASE_URL=postgresql://them@localhost/theirs .venv/bin/python manage.py demo"
    )

    assert demo.returncode == 1
    assert "unset DATABASE_URL" in demo.stderr


def test_the_readmes_commands_do_what_it_says(clone: Clone, readme: str) -> None:
    blocks = SHELL_BLOCK.findall(readme)
    # The first is the two commands: one is tested above, the other runs this test.
    assert blocks[0].split("\n") == ["make demo", "make test", ""]
    outputs = []
    for block in blocks[1:]:
        result = clone.run(block)
        assert result.returncode == 0, result.stderr
        outputs.append(result.stdout)
    text = "".join(outputs)

    assert re.search(r"inserted +3\n", text)
    assert re.search(r"line 5: .*before", text)
    assert "too few claims" in text


def test_the_readmes_queries_run_in_make_psql(clone: Clone, readme: str) -> None:
    queries = "".join(SQL_BLOCK.findall(readme))
    # The ids are examples: use a customer and an open alert of the demo's.
    found = clone.run(
        "make --silent psql",
        "\\pset tuples_only\n\\pset format unaligned\n"
        "SELECT customer_id, id FROM alert WHERE status = 'open' ORDER BY id LIMIT 1;",
    )
    [row] = re.findall(r"^\d+\|\d+$", found.stdout, re.MULTILINE)
    customer_id, alert_id = row.split("|")
    queries = re.sub(r"p_customer_id => 1\b", f"p_customer_id => {customer_id}", queries)
    queries = re.sub(r"p_alert_id => 1\b", f"p_alert_id => {alert_id}", queries)

    result = clone.run("make --silent psql", "\\set ON_ERROR_STOP on\n" + queries)

    assert result.returncode == 0, result.stderr
    assert "ERROR" not in result.stderr


def test_help_lists_every_target_that_the_readme_names(clone: Clone, readme: str) -> None:
    listed = clone.run("make help").stdout

    for target in set(re.findall(r"`make ([a-z-]+)`", readme)):
        assert f"make {target} " in listed
