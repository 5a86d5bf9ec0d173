"""manage.py serve with its secrets in files, its own and the worker's."""

import sys
from pathlib import Path

from tests.acceptance.service import Service
from tests.acceptance.working import OWN_DATABASE, connected, own_database
from tests.conftest import SERVER


def test_both_processes_find_their_url_in_a_file(tmp_path: Path) -> None:
    files = {
        "DATABASE_URL": SERVER.url("claimdrift_web", OWN_DATABASE),
        "CLAIMDRIFT_WORKER_DATABASE_URL": SERVER.url("claimdrift_worker", OWN_DATABASE),
        "CLAIMDRIFT_SECRET_KEY": "k" * 50,
    }
    environment = {"DATABASE_URL": "", "CLAIMDRIFT_ACCESS_LOG": "false"}
    for name, content in files.items():
        (tmp_path / name).write_text(f"{content}\n", encoding="utf-8")
        environment[f"{name}_FILE"] = str(tmp_path / name)
    with own_database(), connected("claimdrift_worker") as worker:
        service = Service([sys.executable, "manage.py", "serve", "--bind=127.0.0.1:0"], environment)
        try:
            service.wait_for("(Working on)")
            while not worker.value("SELECT count(*) FROM procrastinate_workers"):
                assert service.process.poll() is None, service.lines
            assert {
                login
                for (login,) in worker.execute(
                    "SELECT usename FROM pg_stat_activity"
                    " WHERE datname = current_database() AND usename ~ '^claimdrift'"
                )
            } >= {"claimdrift_web", "claimdrift_worker"}
            service.process.terminate()
            assert service.wait() == 0, service.lines
        finally:
            service.kill()
