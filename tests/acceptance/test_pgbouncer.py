"""The API as processes behind a real PgBouncer, with more threads than there are sessions."""

import http.client
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.conf import settings

from core.context import ENTER
from tests.acceptance.service import LIMIT
from tests.acceptance.serving import serving
from tests.api.callers import Caller
from tests.api.client import BASE, Answer, Api
from tests.api.problems import problem
from tests.api.sweep import plainly, sweep
from tests.api.worlds import World
from tests.compose import understood
from tests.conftest import DATABASE, SERVER, run_manage
from tests.database import Database
from tests.pooling import PASSWORD, Pooler, free_port, left_behind, pooled

SESSIONS = 3
THREADS = 8  # of each of the two processes
LOGINS = ("claimdrift_web", "claimdrift_worker", "claimdrift_migrator")


class Remote(Api):
    """The API over HTTP."""

    def __init__(self, url: str, token: str | None) -> None:
        super().__init__(token)
        self._address = urlsplit(url).netloc

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        parts = urlsplit(path)
        target = parts.path if parts.path.startswith(BASE) else BASE + parts.path
        if parts.query:
            target += f"?{parts.query}"
        content = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        with closing(http.client.HTTPConnection(self._address, timeout=LIMIT)) as connection:
            connection.request(method, target, content, sent)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )


@pytest.fixture(scope="module")
def pooler() -> Iterator[Pooler]:
    with pooled(
        SERVER,
        DATABASE,
        default_pool_size=SESSIONS,
        reserve_pool_size=0,
        max_db_connections=SESSIONS,
        query_wait_timeout=10,
    ) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def url(pooler: Pooler) -> Iterator[str]:
    environment = {
        "CLAIMDRIFT_WEB_THREADS": str(THREADS),
        # That the tests can look into cursors.
        "CLAIMDRIFT_SECRET_KEY": settings.SECRET_KEY,
    }
    with serving(pooler.url(), **environment) as url:
        yield url


@pytest.fixture(scope="module")
def worlds(owner: Database, worker: Database) -> tuple[World, World]:
    return World(owner, worker), World(owner, worker)


def admin_of(url: str, world: World) -> Caller:
    token = world.token(world.people["admin"])
    return Caller("admin", Remote(url, token), world, "admin", user_id=world.people["admin"])


def work_for(url: str, mine: World, other: World, rounds: int) -> Counter[str]:
    """All that can be read, changes, and errors of many kinds; none with a trace of the other."""
    caller, done = admin_of(url, mine), Counter[str]()

    def ask(method: str, path: str, body: Any, *statuses: int) -> Answer:
        answer = caller.api.request(method, path, body)
        assert answer.status in statuses, (method, path, answer.status, answer.content)
        assert other.traces_in(answer) == [], (method, path)
        done[f"{method} {answer.status}"] += 1
        return answer

    for number in range(rounds):
        for asked in sweep(caller, mine, other, plainly):
            assert asked.answer.status == 200, (asked, asked.answer.content)
            assert other.traces_in(asked.answer) == [], asked
            done["GET 200"] += 1
        name = f"{mine.mark} {threading.get_ident()} {number}"
        rule = ask("POST", "/alert-rules", {"name": name}, 201).json["id"]
        ask("POST", "/alert-rules", {"name": name}, 409)
        ask("PATCH", f"/alert-rules/{rule}", {"name": f"{name}!"}, 200)
        ask("GET", f"/payers/{other.ids['payer']}", None, 404)
        ask("PATCH", f"/payers/{other.ids['payer']}", {"name": "mine"}, 404)
        ask("POST", f"/alerts/{other.ids['alert']}/acknowledge", {}, 404)
        ask("POST", f"/alerts/{mine.fresh('open alert')}/acknowledge", {}, 200)
        ask("DELETE", f"/alert-rules/{rule}", None, 204)
        ask("GET", "/payers?nonsense=1", None, 400)
    return done


def test_customers_who_share_sessions_never_see_each_other(
    pooler: Pooler, url: str, worlds: tuple[World, World]
) -> None:
    ours, theirs = worlds
    most: Counter[str] = Counter()
    with ThreadPoolExecutor(12) as pool:
        work = [
            pool.submit(work_for, url, *pair, 1)
            for _ in range(6)
            for pair in ((ours, theirs), (theirs, ours))
        ]
        while not all(each.done() for each in work):
            [(_, _, active, waiting, *_)] = [
                row for row in pooler.console("SHOW POOLS") if row[0] == "claimdrift"
            ]
            most["clients"] = max(most["clients"], int(active) + int(waiting))
            most["sessions"] = max(most["sessions"], len(pooler.console("SHOW SERVERS")))
            time.sleep(0.1)
        done = sum((each.result() for each in work), Counter[str]())

    assert done["PATCH 200"] == done["POST 409"] == done["DELETE 204"] == 12
    # Which says something only if they did share them.
    assert most["clients"] > SESSIONS
    assert most["sessions"] == SESSIONS
    assert left_behind(pooler.url(), SESSIONS) == []


def test_what_is_left_behind_would_be_found(pooler: Pooler) -> None:
    with closing(psycopg2.connect(pooler.url())) as connection:
        connection.autocommit = True
        database = Database(connection)
        database.execute("SELECT set_config('app.customer_id', '7', false)")
        database.execute("SET lock_timeout = '1s'")
        database.execute("SET ROLE claimdrift_tenant")
        database.execute("PREPARE mine AS SELECT 1")
        database.execute("SELECT pg_advisory_lock(77)")
        database.execute("LISTEN here")
    found = left_behind(pooler.url(), SESSIONS)
    pooler.console("RECONNECT claimdrift")

    assert {text.split()[0] for text in found} >= {
        "role", "app.customer_id", "setting", "statement", "lock", "channel"
    }  # fmt: skip
    assert left_behind(pooler.url(), SESSIONS) == []


def test_the_roles_timeouts_hold_in_every_session(pooler: Pooler) -> None:
    with closing(psycopg2.connect(pooler.url())) as connection:
        database = Database(connection)
        for name, value in {
            "statement_timeout": "30s",
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "1min",
        }.items():
            assert database.value(f"SHOW {name}") == value
        assert database.value("SELECT session_user::text") == "claimdrift_web"


def test_a_client_that_dies_in_a_transaction_leaves_nothing(
    pooler: Pooler, worlds: tuple[World, World]
) -> None:
    for _ in range(SESSIONS):
        connection = psycopg2.connect(pooler.url())
        database = Database(connection)
        database.execute(ENTER, str(worlds[0].customer_id), "")
        database.execute("SELECT pg_advisory_xact_lock(77)")
        connection.close()
        assert left_behind(pooler.url(), SESSIONS) == []


@contextmanager
def impatient(pooler: Pooler) -> Iterator[None]:
    """Waiting for a lock ends sooner than it does for real, so that it can be waited for."""
    role = f'ALTER ROLE claimdrift_web IN DATABASE "{DATABASE}"'
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as connection:
        connection.autocommit = True
        superuser = Database(connection)
        superuser.execute(f"{role} SET lock_timeout = '200ms'")
        pooler.console("RECONNECT claimdrift")
        try:
            yield
        finally:
            superuser.execute(f"{role} RESET lock_timeout")
            pooler.console("RECONNECT claimdrift")


def test_a_request_that_waits_too_long_for_a_lock_leaves_nothing(
    pooler: Pooler, url: str, worlds: tuple[World, World], owner: Database
) -> None:
    ours = worlds[0]
    caller, alert = admin_of(url, ours), ours.fresh("open alert")
    with (
        impatient(pooler),
        closing(psycopg2.connect(SERVER.url("claimdrift_worker", DATABASE))) as holder,
    ):
        Database(holder).execute("SELECT drift.lock_customer(%s)", ours.customer_id)
        answer = caller.api.post(f"/alerts/{alert}/acknowledge")

    assert answer.status == 409, answer.content
    assert left_behind(pooler.url(), SESSIONS) == []
    assert caller.api.post(f"/alerts/{alert}/acknowledge").status == 200


def test_the_api_waits_while_pgbouncer_is_paused(
    pooler: Pooler, url: str, worlds: tuple[World, World]
) -> None:
    """As it is for a moment when a password is changed, or PostgreSQL is restarted."""
    caller = admin_of(url, worlds[0])
    with ThreadPoolExecutor(4) as pool:
        pooler.console("PAUSE claimdrift")
        try:
            answers = [pool.submit(caller.api.get, "/payers") for _ in range(4)]
            time.sleep(0.5)
            assert not any(answer.done() for answer in answers)
        finally:
            pooler.console("RESUME claimdrift")
        assert [answer.result().status for answer in answers] == [200] * 4


@contextmanager
def exhausted(pooler: Pooler) -> Iterator[None]:
    """All sessions are in use, and stay so."""
    held = [psycopg2.connect(pooler.url()) for _ in range(SESSIONS)]
    try:
        for connection in held:
            Database(connection).execute("SELECT 1")
        yield
    finally:
        for connection in held:
            connection.close()


def test_without_a_free_session_it_asks_to_come_back(
    pooler: Pooler, url: str, worlds: tuple[World, World]
) -> None:
    pooler.console("SET query_wait_timeout = 1")
    try:
        with exhausted(pooler):
            answer = admin_of(url, worlds[0]).api.get("/payers")
    finally:
        pooler.console("SET query_wait_timeout = 10")

    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert admin_of(url, worlds[0]).api.get("/payers").status == 200


def test_it_works_again_as_soon_as_pgbouncer_is_back(
    pooler: Pooler, url: str, worlds: tuple[World, World]
) -> None:
    caller = admin_of(url, worlds[0])
    assert caller.api.get("/payers").status == 200

    pooler.stop()
    answer = caller.api.get("/payers")
    problem(answer, 503, "unavailable")
    pooler.start()

    # Whatever thread answers: none keeps a connection that is dead.
    with ThreadPoolExecutor(16) as pool:
        statuses = pool.map(lambda _: caller.api.get("/payers").status, range(64))
    assert set(statuses) == {200}


# What doesn't go through it


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[Pooler]:
    """One that lets every login through, as it shouldn't."""
    logins = dict.fromkeys(LOGINS, PASSWORD)
    with pooled(SERVER, DATABASE, logins=logins) as pooler:
        yield pooler


@pytest.mark.parametrize("login", LOGINS[1:])
def test_only_the_apis_login_is_let_through(pooler: Pooler, login: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        psycopg2.connect(pooler.url(login))


@pytest.mark.parametrize(
    ("arguments", "login", "program"),
    [
        (("migrate",), "claimdrift_migrator", "manage.py migrate"),
        (("procrastinate", "worker"), "claimdrift_worker", "The worker"),
    ],
)
def test_whoever_needs_a_session_refuses_a_pooler(
    open_to_all: Pooler, arguments: tuple[str, ...], login: str, program: str
) -> None:
    result = run_manage(*arguments, database_url=open_to_all.url(login))

    assert result.returncode == 1
    assert f"{program} needs sessions of its own" in result.stderr
    assert "Traceback" not in result.stderr
    assert PASSWORD not in result.stderr


def test_other_commands_work_through_it(open_to_all: Pooler) -> None:
    """They need no more than a transaction."""
    result = run_manage("customer", "list", database_url=open_to_all.url("claimdrift_worker"))

    assert (result.returncode, result.stderr) == (0, "")


def test_the_health_check_of_the_container_tells_whether_it_answers(pooler: Pooler) -> None:
    [program, *arguments] = understood("docker-compose.yml")["services"]["pgbouncer"][
        "healthcheck"
    ]["test"][1:]
    for port, code in ((pooler.port, 0), (free_port(), 2)):
        result = subprocess.run(  # noqa: S603 (the file's own text)
            [
                str(SERVER.bin_dir / program),
                *(argument.replace("6432", str(port)) for argument in arguments),
            ],
            capture_output=True,
            check=False,
        )
        assert result.returncode == code, result
