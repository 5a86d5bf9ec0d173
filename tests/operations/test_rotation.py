"""Secrets change, as docs/operations.md has it, and nobody is turned away."""

import hashlib
import json
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg2
import pytest
from django.conf import settings
from django.test import override_settings

from core.embedded import EmbeddedServer
from core.webhooks import secrets
from tests.acceptance.service import LIMIT
from tests.acceptance.serving import serving
from tests.acceptance.working import wait_until
from tests.api.client import Office
from tests.conftest import DATABASE, SERVER
from tests.database import Database
from tests.operations.installation import connected, folder, installed
from tests.operations.page import block, done, owned, paste
from tests.operations.workers import worker_reading
from tests.pooling import Pooler, pooled

LOGINS = "Passwords of the logins"
FIRST = "the first password"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server that asks the API's and the worker's login for a password."""
    with installed() as server:
        with connected(server, "postgres") as superuser:
            for login in ("claimdrift_web", "claimdrift_worker"):
                superuser.execute(f"ALTER ROLE {login} PASSWORD '{FIRST}'")
            rules = server.data_dir / "pg_hba.conf"
            asked = "local all claimdrift_web,claimdrift_worker scram-sha-256\n"
            rules.write_text(asked + rules.read_text(encoding="utf-8"), encoding="utf-8")
            superuser.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + LIMIT
            while is_let_in(server, "claimdrift_web", "wrong"):
                assert time.monotonic() < deadline
        yield server


def is_let_in(server: EmbeddedServer, login: str, password: str) -> bool:
    try:
        psycopg2.connect(server.url(login), password=password).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.fixture
def place(server: EmbeddedServer) -> Iterator[Path]:
    """The folder of secrets."""
    with folder(server) as path:
        yield path


@contextmanager
def asked_all_the_time(url: str, answers: Counter[int]) -> Iterator[None]:
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                with urlopen(f"{url}/health/ready", timeout=LIMIT) as answer:  # noqa: S310
                    answers[answer.status] += 1
            except HTTPError as error:
                answers[error.code] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def see_more(answers: Counter[int], count: int = 40) -> None:
    wanted, deadline = answers.total() + count, time.monotonic() + LIMIT
    while answers.total() < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_apis_password_changes_behind_pgbouncer_and_no_request_fails(
    server: EmbeddedServer, place: Path
) -> None:
    first = {"claimdrift_web": FIRST}
    with pooled(server, "claimdrift", logins=first, default_pool_size=3) as pooler:
        # Where the page writes it, and PgBouncer reads it.
        (pooler.folder / "web_url").write_text(pooler.url(password=FIRST), encoding="utf-8")
        write_to = pooler.folder / "pgbouncer_userlist"
        (pooler.folder / "userlist").rename(write_to)
        (pooler.folder / "userlist").symlink_to(write_to.name)
        owned(server, pooler.folder)
        environment = {
            "DATABASE_URL_FILE": str(pooler.folder / "web_url"),
            # A connection for each request: each shows whether the password is right.
            "CLAIMDRIFT_CONN_MAX_AGE": "0",
        }
        answers: Counter[int] = Counter()
        with serving("", **environment) as url, asked_all_the_time(url, answers):
            for _ in range(3):
                see_more(answers)
                # PgBouncer knows a changed file by its time, in seconds.
                time.sleep(1.1)
                change(server, pooler)
            see_more(answers)

        assert set(answers) == {200}, (answers, pooler.log())
        assert not is_let_in(server, "claimdrift_web", FIRST)
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(pooler.url(password=FIRST))


def change(server: EmbeddedServer, pooler: Pooler) -> None:
    before = (pooler.folder / "web_url").read_text(encoding="utf-8")
    done(
        server,
        block(LOGINS, holding="RELOAD"),
        SECRETS=pooler.folder,
        POOLER=f"127.0.0.1:{pooler.port}",
        CONSOLE=pooler.folder,
    )
    assert (pooler.folder / "web_url").read_text(encoding="utf-8") != before


def test_the_workers_password_changes_while_it_works(server: EmbeddedServer, place: Path) -> None:
    url = server.url("claimdrift_worker")
    (place / "worker_url").write_text(
        url.replace("claimdrift_worker@", f"claimdrift_worker:{FIRST.replace(' ', '%20')}@"),
        encoding="utf-8",
    )
    owned(server, place)
    idle = (
        "SELECT NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        " AND queue_name <> 'schedule')"
    )
    with connected(server, "claimdrift_migrator") as owner, worker_reading(place) as process:
        wait_until(owner, "SELECT count(*) >= 2 FROM procrastinate_workers", process=process)
        # The page's server is reached over TCP, this one by its socket.
        script = block(LOGINS, holding="worker_url").replace(
            "@%s/claimdrift\\n", f"@/claimdrift?host={server.socket_dir}\\n"
        )
        done(server, script.replace(' "$SERVER"', ""), SECRETS=place)
        assert not is_let_in(server, "claimdrift_worker", FIRST)
        # Its connections for jobs are new ones each time.
        owner.execute("INSERT INTO customer (name, slug) VALUES ('Practice', 'practice')")
        owner.execute("SELECT drift.request_run(id, NULL) FROM customer")
        wait_until(owner, idle, process=process)

    assert owner_saw_it_completed(server)


def owner_saw_it_completed(server: EmbeddedServer) -> bool:
    with connected(server, "claimdrift_migrator") as owner:
        runs = owner.execute("SELECT DISTINCT status FROM drift_run WHERE trigger = 'api'")
    return runs == [("completed",)]


def test_a_new_password_is_not_in_the_servers_statistics(server: EmbeddedServer) -> None:
    with connected(server, "postgres") as superuser:
        superuser.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        kept = superuser.execute("SELECT query FROM pg_stat_statements WHERE query ~ 'ALTER ROLE'")
    # The fixture's own were kept, so that something can be found there.
    assert any(FIRST in query for (query,) in kept)
    assert all(FIRST in query or "PASSWORD" not in query for (query,) in kept)


# The secret key


def cursor_of(url: str, token: str, cursor: str = "") -> tuple[int, str]:
    """The status of a page, and its link to the next."""
    target = cursor or f"{url}/api/v1/payers?page_size=1"
    request = Request(target, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
            return answer.status, json.load(answer)["next"]
    except HTTPError as error:
        return error.code, ""


def test_cursors_outlive_a_secret_key_that_becomes_a_fallback(
    owner: Database, worker: Database
) -> None:
    office = Office(owner, worker)
    for name in ("Aetna", "Cigna", "Humana"):
        office.payer(name)
    token = office.token(office.join())
    web, old, new = SERVER.url("claimdrift_web", DATABASE), "o" * 50, "n" * 50

    with serving(web, CLAIMDRIFT_SECRET_KEY=old) as url:
        status, following = cursor_of(url, token)
        assert status == 200
    query = following[following.index("/api/") :]
    with serving(web, CLAIMDRIFT_SECRET_KEY=new, CLAIMDRIFT_SECRET_KEY_FALLBACKS=old) as url:
        assert cursor_of(url, token, url + query)[0] == 200
    with serving(web, CLAIMDRIFT_SECRET_KEY=new) as url:
        assert cursor_of(url, token, url + query)[0] == 400


# Keys of webhook secrets


def test_the_id_of_a_new_key_is_what_the_page_computes(tmp_path: Path) -> None:
    script = block("Keys of webhook secrets")
    with folder() as place:
        printed = done(SERVER, script, cwd=owned(SERVER, place)).strip()
        key = (place / "new.key").read_text(encoding="utf-8").strip()

    assert printed == hashlib.sha256(b64decode(key)).hexdigest()[:8]
    with override_settings(WEBHOOK_KEYS=[key]):
        secrets._keys.cache_clear()
        assert secrets.create(customer_id=1).key_id == printed
    secrets._keys.cache_clear()


def test_how_many_secrets_need_which_key_can_be_asked(worker: Database) -> None:
    worker.execute(block("Keys of webhook secrets", "sql"))


def test_a_secret_is_read_under_its_old_key_until_that_is_gone() -> None:
    old, new = ("A" * 43 + "=", "B" * 42 + "A=")
    with override_settings(WEBHOOK_KEYS=[old]):
        secrets._keys.cache_clear()
        kept = secrets.create(customer_id=1)
    for keys, is_readable in (([old, new], True), ([new, old], True), ([new], False)):
        with override_settings(WEBHOOK_KEYS=keys):
            secrets._keys.cache_clear()
            try:
                secrets.decrypt(customer_id=1, ciphertext=kept.ciphertext, key_id=kept.key_id)
                found = True
            except secrets.SecretUnreadable:
                found = False
            assert found is is_readable
    secrets._keys.cache_clear()
    assert settings.WEBHOOK_KEYS is not None


def test_the_commands_stop_at_the_first_that_fails(server: EmbeddedServer, place: Path) -> None:
    """A password isn't changed in the database if it can't be written where it is read."""
    kept = "psql -d postgres -Atc \"SELECT rolpassword FROM pg_authid WHERE rolname ~ '_worker'\""
    before = done(server, kept)
    result = paste(
        server, block(LOGINS, holding="worker_url"), SECRETS=place / "missing", SERVER="here:1"
    )

    assert result.returncode != 0
    assert done(server, kept) == before != ""
