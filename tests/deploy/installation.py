"""The product as it is installed: a directory, HAProxy and supervisord, a database, a deployer."""

import base64
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import psycopg2
from django.conf import settings

from tests.acceptance.delivering import KEY
from tests.acceptance.service import all_gone
from tests.conftest import DATABASE, SERVER, create_database
from tests.deploy.rollout import Deployer
from tests.deploy.state import kill, processes_of

OWN_DATABASE: Final = f"{DATABASE}_deploy"
LIMIT: Final = 60.0

_CONFIG: Final = """
root = "{root}"
postgres_bin = "{postgres_bin}"

[ports]
public = "127.0.0.1:{ports[0]}"
preview = {ports[1]}
blue = {ports[2]}
green = {ports[3]}
receiver = {ports[4]}

[environment]
common = "common.env"
web = "web.env"
worker = "worker.env"
migrator = "migrator.env"

[smoke]
customer = "deploy-smoke"
host = "localhost"
seconds = 40

[times]
check = 60
migrate = 60
healthy = 25
canary = 30
drain = 20
bake = 4
poll = 0.3
"""


class Installation:
    """Where everything is. `deployer` may be replaced by one that was changed."""

    def __init__(self, directory: Path, receiver_port: int) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.releases = directory / "releases"
        self.config = directory / "deploy.toml"
        self.ports = free_ports(5)
        self.root.mkdir()
        self.releases.mkdir()
        self._configure(receiver_port)
        self.deployer = self.copy_deployer("deployer")

    @property
    def port(self) -> int:
        """The public one."""
        return self.ports[0]

    def copy_deployer(self, name: str) -> Deployer:
        """The deployer as it is here, in a directory of its own."""
        directory = self.directory / name
        shutil.copytree(settings.BASE_DIR / "deploy", directory / "deploy")
        return Deployer(directory, self.config, self.root / "journal.jsonl")

    def _configure(self, receiver_port: int) -> None:
        self.config.write_text(
            _CONFIG.format(root=self.root, postgres_bin=SERVER.bin_dir, ports=self.ports),
            encoding="utf-8",
        )
        secret = base64.b64encode(b"s" * 48).decode()
        self._write(
            "common",
            CLAIMDRIFT_SECRET_KEY=secret,
            CLAIMDRIFT_WEBHOOK_KEYS=KEY,
            CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK=str(receiver_port),
            CLAIMDRIFT_WEBHOOK_SCHEDULE="1 1 1 1 1 1 1 1 1 1",
            CLAIMDRIFT_ACCESS_LOG="false",
            CLAIMDRIFT_WEB_PROCESSES="1",
            CLAIMDRIFT_WEB_THREADS="6",
        )
        for process in ("web", "worker", "migrator"):
            self._write(process, DATABASE_URL=SERVER.url(f"claimdrift_{process}", OWN_DATABASE))

    def _write(self, name: str, **variables: str) -> None:
        file = self.directory / f"{name}.env"
        file.touch(mode=0o600)
        file.write_text(
            "".join(f"{variable}={value}\n" for variable, value in variables.items()),
            encoding="utf-8",
        )

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """HAProxy and supervisord run; none of their processes is left."""
        with (self.directory / "supervisord.log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "deploy.supervise", f"--config={self.config}"],
                cwd=self.deployer.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_for_port(process)
            yield
            process.terminate()
            process.wait(LIMIT)
            left = processes_of(self.directory)
            assert all_gone(list(left)), left
        finally:
            kill(process.pid, *processes_of(self.directory))
            process.wait()

    def _wait_for_port(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + LIMIT
        while True:
            with closing(socket.socket()) as client:
                if not client.connect_ex(("127.0.0.1", self.port)):
                    return
            assert process.poll() is None, self.logs()
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.05)

    def logs(self, characters: int = 1500) -> str:
        """The ends of all logs."""
        files = [self.directory / "supervisord.log", *sorted((self.root / "log").glob("*"))]
        return "\n".join(
            f"== {file.name}\n{file.read_text(errors='replace')[-characters:]}" for file in files
        )


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def alone() -> Iterator[None]:
    """One installation at a time, whoever runs tests: two would use up the server's connections."""
    descriptor = os.open(SERVER.home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def own_database() -> Iterator[None]:
    """A migrated database, which no test but these knows."""
    create_database(OWN_DATABASE)
    try:
        yield
    finally:
        with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser:
            superuser.autocommit = True
            with superuser.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{OWN_DATABASE}" WITH (FORCE)')
