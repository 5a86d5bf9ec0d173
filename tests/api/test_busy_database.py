"""The database is busy, slow, or gone: what is tried again, and what the client is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg2
import pytest
from django.db import DatabaseError, connection, connections

from tests.api.client import Api, Office
from tests.api.problems import problem
from tests.conftest import DATABASE, Connect
from tests.database import Database


@dataclass
class Attempts:
    """Counts a statement, by how it begins; `before` and `after_failure` happen around it."""

    prefix: str
    before: Callable[[], None] = lambda: None
    after_failure: Callable[[], None] = lambda: None
    count: int = field(default=0)

    def __call__(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(self.prefix):
            return execute(sql, parameters, many, context)
        self.count += 1
        self.before()
        try:
            return execute(sql, parameters, many, context)
        except DatabaseError:
            self.after_failure()
            raise


@contextmanager
def server_options(options: str) -> Iterator[None]:
    """Django's connections have these settings instead of the login's."""
    found: dict[str, Any] = connections["default"].settings_dict["OPTIONS"]
    connection.close()
    found["options"] = options
    try:
        yield
    finally:
        del found["options"]
        connection.close()


@pytest.fixture
def alert(office: Office) -> int:
    """An open alert."""
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (date(2025, 11, 15), 0.4)])
    office.detect(date(2025, 11, 15))
    number: int = office.alert()["id"]
    return number


@pytest.fixture
def holder(office: Office, connect: Connect) -> psycopg2.extensions.connection:
    """Somebody who holds the customer's lock in a transaction."""
    other = connect("claimdrift_worker")
    other.autocommit = False
    Database(other).execute("SELECT drift.lock_customer(%s)", office.customer_id)
    return other


IMPATIENT = "-c lock_timeout=150ms"
ACKNOWLEDGE = "SELECT alerts.acknowledge("


def test_a_lock_that_stays_is_waited_for_twice_and_then_a_conflict(
    office: Office, alert: int, holder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = Attempts(ACKNOWLEDGE)
    with server_options(IMPATIENT), connection.execute_wrapper(attempts):
        answer = office.member.post(f"/alerts/{alert}/acknowledge")

    problem(answer, 409, "conflict")
    assert answer.headers["retry-after"] == "1"
    assert attempts.count == 2
    assert office.kinds() == ["opened"]
    assert not [record for record in caplog.records if record.exc_info]


def test_a_lock_that_goes_after_the_first_wait_is_a_success(
    office: Office, alert: int, holder: Any
) -> None:
    attempts = Attempts(ACKNOWLEDGE, after_failure=holder.rollback)
    with server_options(IMPATIENT), connection.execute_wrapper(attempts):
        answer = office.member.post(f"/alerts/{alert}/acknowledge", {"note": "once"})

    assert (answer.status, answer.json["status"]) == (200, "acknowledged")
    assert attempts.count == 2
    assert office.kinds() == ["opened", "acknowledged"]


def test_a_row_that_somebody_is_changing_is_waited_for_in_the_same_way(
    office: Office, connect: Connect
) -> None:
    rule = office.default_rule()
    other = connect("claimdrift_worker")
    other.autocommit = False
    Database(other).execute("UPDATE alert_rule SET threshold = 0.5 WHERE id = %s", rule)
    attempts = Attempts("SELECT ", after_failure=other.rollback)
    with server_options(IMPATIENT):
        busy = office.admin.patch(f"/alert-rules/{rule}", {"threshold": 0.7})
        with connection.execute_wrapper(attempts):
            done = office.admin.patch(f"/alert-rules/{rule}", {"threshold": 0.7})

    problem(busy, 409, "conflict")
    assert (done.status, done.json["threshold"]) == (200, 0.7)


def test_a_deadlock_is_tried_again(office: Office, connect: Connect) -> None:
    """The request holds an alias and waits for a name; somebody holds that and waits for it."""
    payer = office.payer("Aetna")
    alias = office.admin.post("/payer-aliases", {"alias": "Aet", "payer": payer}).json["id"]
    other = Database(connect("postgres"))
    # So that the request finds the deadlock first.
    other.execute("SET deadlock_timeout = '1h'")
    other.execute("BEGIN")
    other.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'Name', %s)",
        office.customer_id,
        payer,
    )
    rival = threading.Thread(
        target=lambda: other.execute("UPDATE payer_alias SET alias = 'X' WHERE id = %s", alias)
    )
    watcher = Database(connect("postgres"))

    def close_the_circle() -> None:
        if attempts.count == 1:
            rival.start()
            while not watcher.value(
                "SELECT cardinality(pg_blocking_pids(%s))", other.connection.get_backend_pid()
            ):
                pass

    def let_go() -> None:
        rival.join()
        other.execute("ROLLBACK")

    attempts = Attempts("UPDATE ", before=close_the_circle, after_failure=let_go)
    with connection.execute_wrapper(attempts):
        answer = office.admin.patch(f"/payer-aliases/{alias}", {"alias": "Name"})

    assert (answer.status, answer.json["alias"]) == (200, "Name")
    assert attempts.count == 2


def test_a_statement_that_takes_too_long_is_our_trouble(
    office: Office, alert: int, holder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = Attempts(ACKNOWLEDGE)
    with (
        server_options("-c lock_timeout=0 -c statement_timeout=150ms"),
        connection.execute_wrapper(attempts),
    ):
        answer = office.member.post(f"/alerts/{alert}/acknowledge")

    problem(answer, 503, "unavailable")
    assert attempts.count == 1
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_a_connection_that_is_cut_is_our_trouble_and_the_next_one_is_whole(
    office: Office, alert: int, connect: Connect
) -> None:
    superuser = Database(connect("postgres"))

    def cut() -> None:
        pid = connection.connection.get_backend_pid()
        superuser.execute("SELECT pg_terminate_backend(%s, 10000)", pid)

    attempts = Attempts(ACKNOWLEDGE, before=cut)
    with connection.execute_wrapper(attempts):
        answer = office.member.post(f"/alerts/{alert}/acknowledge")
    problem(answer, 503, "unavailable")
    assert attempts.count == 1

    connections["default"].close_if_unusable_or_obsolete()  # as the request's end does
    assert office.member.post(f"/alerts/{alert}/acknowledge").status == 200


def test_no_database_is_our_trouble(office: Office, nobody: Api) -> None:
    member = office.member
    parameters = connections["default"].settings_dict
    former = parameters["PORT"]
    connection.close()
    parameters["PORT"] = "1"
    try:
        for answer in (
            member.get("/claims"),
            member.post("/alerts/1/acknowledge"),
            Api(address="198.51.100.2").post("/auth/login", {"email": "a@b.org", "password": "x"}),
        ):
            problem(answer, 503, "unavailable")
    finally:
        parameters["PORT"] = former
    assert member.get("/claims").status == 200


def test_a_server_that_takes_no_more_connections_is_our_trouble(
    office: Office, connect: Connect
) -> None:
    member = office.member
    superuser = Database(connect("postgres"))
    connection.close()
    superuser.execute(f'ALTER DATABASE "{DATABASE}" CONNECTION LIMIT 0')
    try:
        problem(member.get("/claims"), 503, "unavailable")
    finally:
        superuser.execute(f'ALTER DATABASE "{DATABASE}" CONNECTION LIMIT -1')
    assert member.get("/claims").status == 200
