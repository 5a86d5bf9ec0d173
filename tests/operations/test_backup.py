"""Dump and restore, as docs/operations.md has them: nothing is missing, and work goes on."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from core.embedded import ROLES_SQL, EmbeddedServer
from core.webhooks import secrets
from tests.acceptance.delivering import (
    KEY,
    Ledger,
    Worker,
    add_endpoint,
    crew,
    hire,
    publish,
    wait_for,
)
from tests.acceptance.working import stop
from tests.conftest import run_manage
from tests.database import Database
from tests.operations.installation import (
    connected,
    counted,
    empty_server,
    folder,
    installed,
    schema,
)
from tests.operations.page import block, done, owned, paste
from tests.portfolio import Portfolio
from tests.webhooks.receiver import Receiver

AS_OF = date(2025, 11, 15)


@pytest.fixture(scope="module", autouse=True)
def _keys() -> Iterator[None]:
    """The keys that the workers have as well."""
    with override_settings(WEBHOOK_KEYS=[KEY]):
        secrets._keys.cache_clear()
        yield
    secrets._keys.cache_clear()


@pytest.fixture(scope="module")
def source() -> Iterator[EmbeddedServer]:
    with installed() as server:
        yield server


@pytest.fixture(scope="module")
def backups(source: EmbeddedServer) -> Iterator[Path]:
    with folder(source) as path:
        yield path


def fill(portfolio: Portfolio) -> None:
    """Claims of which many more are denied in the end, and what follows from it."""
    portfolio.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (AS_OF, 0.5)], per_day=4)
    portfolio.detect(AS_OF)
    assert portfolio.rows("alert")


def work(workers: list[Worker], server: EmbeddedServer, database: Database) -> Worker:
    return hire(workers, database, DATABASE_URL=server.url("claimdrift_worker"))


@contextmanager
def project(server: EmbeddedServer) -> Iterator[Path]:
    """This project, as far as a restore needs it, where the server's user may enter."""
    with folder() as place:
        (place / "sql").mkdir()
        shutil.copy(ROLES_SQL, place / "sql")
        yield owned(server, place)


def test_a_dump_restores_all_of_it_and_the_worker_goes_on(
    source: EmbeddedServer, backups: Path
) -> None:
    ledger = Ledger()
    with (
        Receiver(ledger) as receiver,
        connected(source, "claimdrift_migrator") as owner,
        connected(source, "claimdrift_worker") as worker,
    ):
        portfolio = Portfolio(owner, worker)
        _, secret = add_endpoint(worker, portfolio, f"http://127.0.0.1:{receiver.port}/here")
        ledger.expect("/here", secret)
        fill(portfolio)
        publish(portfolio, 10)
        with crew() as workers:
            member = work(workers, source, worker)
            wait_for(lambda: ledger.total >= 12)
            assert stop(member.process) == ""
        sent = set(ledger.receipts)
        publish(portfolio, 10)
        pending = worker.value("SELECT count(*) FROM webhook_delivery WHERE status = 'pending'")
        assert pending == 10

        done(source, block("Dump", holding="CREATE ROLE"))
        done(source, block("Dump", holding="pg_dump"), BACKUPS=backups)
        [dump] = backups.iterdir()
        assert "partial" not in dump.name
        before = counted(owner)

        with empty_server() as target, project(target) as place:
            printed = done(target, block("Restore"), dump=dump, cwd=place)
            with (
                connected(target, "postgres") as superuser,
                connected(target, "claimdrift_worker") as new_worker,
            ):
                assert printed == ""
                assert counted(superuser) == before
                assert before["claim"] > 1000
                assert schema(target) == schema(source)
                check_guards(superuser)
                goes_on(target, superuser, new_worker, portfolio, ledger, sent)


def check_guards(superuser: Database) -> None:
    """Policies, triggers and privileges are there: also the comparison could miss all of them."""
    assert superuser.value(
        "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
    ) == superuser.value("SELECT count(DISTINCT tablename) FROM pg_policies")
    assert superuser.value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") > 10
    assert not superuser.value("SELECT has_table_privilege('claimdrift_web', 'claim', 'SELECT')")
    assert superuser.value(
        "SELECT has_function_privilege('claimdrift_web', 'tenancy.authenticate(text)', 'EXECUTE')"
    )


def goes_on(
    target: EmbeddedServer,
    superuser: Database,
    worker: Database,
    portfolio: Portfolio,
    ledger: Ledger,
    sent: set[str],
) -> None:
    """The worker sends what was pending, and nothing that had been sent; detection works."""
    drift = "SELECT drift.detect(p_customer_id => %s, p_as_of => %s)"
    worker.execute(drift, portfolio.customer_id, date(2025, 11, 16))
    with crew() as workers:
        member = work(workers, target, worker)
        wait_for(
            lambda: (
                not worker.value("SELECT count(*) FROM webhook_delivery WHERE status = 'pending'")
            )
        )
        assert stop(member.process) == ""
    assert len(set(ledger.receipts) - sent) >= 11  # ten that waited, and the new run
    assert set(ledger.receipts.values()) == {1}
    assert ledger.refused == []
    assert superuser.execute("SELECT * FROM maintenance.verify()") == []
    ready = run_manage("migrate", "--check", database_url=target.url("claimdrift_migrator"))
    assert ready.returncode == 0, ready.stderr


def test_the_owner_can_make_no_dump(source: EmbeddedServer) -> None:
    """Rather than one in which rows are missing."""
    result = paste(source, "pg_dump --username claimdrift_migrator claimdrift > /dev/null")

    assert result.returncode != 0
    assert "row-level security" in result.stderr


def test_old_dumps_go_and_others_stay(source: EmbeddedServer, backups: Path) -> None:
    with folder(source) as place:
        for name, age in (("claimdrift-old", 40), ("claimdrift-new", 5), ("base-old", 40)):
            done(source, f"mkdir {place}/{name}; touch -d '{age} days ago' {place}/{name}")
        script = block("Dump", holding="pg_dump")
        done(source, script[script.index("find") :], BACKUPS=place)

        assert {path.name for path in place.iterdir()} == {"claimdrift-new", "base-old"}


def test_a_copy_is_silenced(source: EmbeddedServer) -> None:
    with connected(source, "postgres") as superuser, connected(source, "claimdrift_worker") as w:
        portfolio = Portfolio(superuser, w)
        add_endpoint(w, portfolio, "https://receiver.example/")
        superuser.execute(block("Restore", "sql"))

        assert superuser.value("SELECT count(*) FROM webhook_endpoint WHERE status = 'active'") == 0
        publish(portfolio, 1)
        assert superuser.value(
            "SELECT count(*) FROM webhook_delivery AS d JOIN procrastinate_jobs AS j"
            " ON j.id = d.job_id WHERE d.customer_id = %s",
            portfolio.customer_id,
        ) in {0, 1}


def test_the_roles_of_the_page_are_those_of_the_file() -> None:
    assert f"-f {os.path.relpath(ROLES_SQL, settings.BASE_DIR)}" in block("Restore")
