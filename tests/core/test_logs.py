"""Logs carry neither what exceptions quote nor secrets, whoever writes them."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from django.test import RequestFactory
from django.urls import resolve
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from core.logs import Formatter, configuration, describe, redact, request_id
from core.models import Customer
from tests.conftest import SERVER, Connect
from tests.database import Database
from tests.portfolio import Portfolio

SECRET = "Q7zSecretJaneDoeZ7q"  # noqa: S105
formatter = Formatter()


def written(
    message: object = "it failed",
    *arguments: Any,
    error: BaseException | None = None,
    name: str = "core.tasks",
    **extra: Any,
) -> str:
    """The line that a record becomes."""
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, exc_info)
    for key, value in extra.items():
        setattr(record, key, value)
    return formatter.format(record)


def caught(raise_it: Callable[[], object]) -> BaseException:
    try:
        raise_it()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


# Exceptions


def test_a_line_has_time_level_logger_request_and_message() -> None:
    token = request_id.set("0f8c-1234")
    try:
        line = written("loaded %d rows of %s", 3, "a file")
    finally:
        request_id.reset(token)

    time, rest = line.split(" ", 1)
    assert rest == "ERROR core.tasks: [0f8c-1234] loaded 3 rows of a file"
    assert len(time) == len("2026-11-24T13:39:00.049Z")


def test_an_exception_is_its_type_and_place() -> None:
    error = caught(lambda: int(SECRET))
    line = written(error=error)

    assert SECRET not in line
    assert "| ValueError at " in line
    assert f" at tests/core/test_logs.py:{error.__traceback__.tb_lineno} caught" in line  # type: ignore[union-attr]
    assert "test_an_exception_is_its_type_and_place.<locals>.<lambda>" in line
    assert "\n" not in line


def test_a_database_error_tells_state_table_and_constraint_but_no_values(
    portfolio: Portfolio,
) -> None:
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        Customer.objects.create(name=SECRET, slug=portfolio.slug)
    line = written(error=error.value)

    assert portfolio.slug not in line
    assert SECRET not in line
    assert "django.db.utils.IntegrityError at" in line
    assert (
        "caused by psycopg2.errors.UniqueViolation"
        " (SQLSTATE 23505, table customer, constraint customer_slug_key)" in line
    )


def test_our_own_errors_tell_their_message_and_no_detail(worker: Database) -> None:
    with pytest.raises(psycopg2.Error) as error:
        worker.execute("SELECT tenancy.find_customer(p_customer_id => 987654)")

    line = written(error=error.value)
    assert "(SQLSTATE PD004, unknown customer)" in line
    assert "987654" not in line


def test_the_workers_own_driver_is_understood_too() -> None:
    with (
        closing(psycopg.connect(SERVER.url("claimdrift_worker", "postgres"))) as connection,
        pytest.raises(psycopg.Error) as error,
    ):
        connection.execute(f"SELECT '{SECRET}'::int")

    line = written(error=error.value)
    assert SECRET not in line
    assert "psycopg.errors.InvalidTextRepresentation (SQLSTATE 22P02)" in line


class Lying(Exception):
    """Looks like a driver's error, and breaks when it is printed."""

    pgcode = sqlstate = SECRET[:5]

    def __str__(self) -> str:
        raise RuntimeError(SECRET)

    __repr__ = __str__


def test_nobody_elses_attributes_are_trusted_and_nothing_needs_printing() -> None:
    line = written("it failed: %s", Lying(SECRET), error=Lying(SECRET))

    assert SECRET[:5] not in line
    assert "tests.core.test_logs.Lying" in line


def test_recursion_and_rings_end() -> None:
    def deeper() -> None:
        deeper()

    ring = ValueError(SECRET)
    ring.__cause__ = KeyError(SECRET)
    ring.__cause__.__cause__ = ring
    line = written(error=caught(deeper)) + written(error=ring)

    assert SECRET not in line
    assert len(line) < 10_000


@st.composite
def exceptions(draw: st.DrawFn, depth: int = 3) -> BaseException:
    """An exception with the secret in its arguments, notes, locals, causes and parts."""
    text = draw(st.text(max_size=20)) + SECRET + draw(st.text(max_size=20))
    value = draw(
        st.sampled_from([text, [text], {"name": text}, (text, 1), text.encode("utf-8", "replace")])
    )
    parts = (
        [draw(exceptions(depth=depth - 1)) for _ in range(draw(st.integers(0, 2)))] if depth else []
    )
    kind = draw(st.sampled_from([ValueError, KeyError, OSError, psycopg2.DataError, "group"]))
    error: BaseException
    if kind == "group" and parts:
        error = BaseExceptionGroup(text, parts)
    else:
        error = (ValueError if kind == "group" else kind)(value)  # type: ignore[operator]
        if parts:
            setattr(error, draw(st.sampled_from(["__cause__", "__context__"])), parts[0])
    if draw(st.booleans()):
        error.add_note(text)

    def throw(local: object) -> None:
        raise error

    return caught(lambda: throw(value))


@how(deadline=None)
@given(exceptions(), st.integers(0, 6))
def test_no_exception_brings_its_secret_into_a_line(error: BaseException, way: int) -> None:
    line = [
        lambda: written("static", error=error),
        lambda: written("%s and %r", error, error),
        lambda: written(error),
        lambda: written(f"it failed: {error}", error=error),
        lambda: written(f"<Task exception={error!r}>", error=error),
        lambda: written("%(one)s", {"one": [error]}, error=error),
        lambda: describe(error),
    ][way]()

    assert SECRET not in line
    assert len(line.splitlines()) == 1


# Messages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token cd_Tes5dPUwQp_OmhLmMUh1pubaZ0nY_2RMJ_a7J72c2sE!", "token cd_[redacted]!"),
        ("the prefix cd_Tes5dPUw is public", "the prefix cd_Tes5dPUw is public"),
        ("secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==", "secret whsec_[redacted]"),
        ("Authorization: Bearer abc.def", "Authorization: [redacted] [redacted]"),
        ("got bearer abc.def", "got Bearer [redacted]"),
        ("postgresql://me:p/w@host/db", "postgresql://[redacted]@host/db"),
        ("dsn host=x password='a b' user=y", "dsn host=x password=[redacted] user=y"),
        ('{"client_secret": "abc", "a": 1}', '{"client_secret": [redacted], "a": 1}'),
        ("sent to jane.doe+x@mail.example.org.", "sent to [e-mail]."),
        ("patient 123-45-6789 or 123456789", "patient [number] or [number]"),
        ("run 12345678 took 1234567890 ns", "run 12345678 took 1234567890 ns"),
        ("duplicate. Key (name)=(Jane\nDoe (x)) exists", "duplicate. [redacted]"),
        ("failed\nDETAIL:  Failing row contains (1, Jane)", "failed\\x0a[redacted]"),
        ('"GET /api/v1/claims?search=Jane HTTP/1.1"', '"GET /api/v1/claims?[redacted] HTTP/1.1"'),
        ("who? me", "who? me"),
        ("two\nlines\r\n\x1b[31m\u2028", "two\\x0alines\\x0d\\x0a\\x1b[31m\\x2028"),
        ("half of a pair \ud83d", "half of a pair \\ud83d"),
    ],
)
def test_what_is_taken_out_of_a_message(text: str, expected: str) -> None:
    assert redact(text) == expected


@how(deadline=None)
@given(st.text(), st.text(), st.integers(0, 5))
def test_a_secret_is_found_in_any_surroundings(before: str, after: str, kind: int) -> None:
    secret = [
        "cd_Tes5dPUwQp_OmhLmMUh1pubaZ0nY_2RMJ_a7J72c2sE",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "Bearer Tes5dPUwQpOmhLmMUh1pubaZ0nY",
        "://me:Tes5dPUwQp@",
        "jane.doe.Tes5dPUwQp@mail.example.org",
        "Key (name)=(Tes5dPUwQp)",
    ][kind]
    line = redact(f"{before} {secret} {after}")

    assert secret.lower() not in line.lower()
    assert len(line.splitlines()) <= 1


def test_a_long_message_is_cut_and_half_a_secret_with_it() -> None:
    word = "cd_Tes5dPUwQp_OmhLmMUh1pubaZ0nY_2RMJ_a7J72c2sE"
    for length in range(7950, 8001, 5):
        line = redact(f"{'x ' * (length // 2)}{word} end")
        assert "Tes5" not in line
        assert len(line) < 8100
    assert redact("x" * 1_000_000) == "[cut]"
    assert len(redact("://" * 1_000_000)) < 100
    assert len(redact("a@" * 1_000_000)) < 100


def test_arguments_that_do_not_fit_are_not_printed() -> None:
    line = written("%d rows", SECRET)

    assert line.endswith("%d rows (with other arguments than it asks for)")


def test_a_stack_is_places_without_source() -> None:
    stack = f'Stack\n  File "/x/site-packages/y/z.py", line 3, in f\n    call("{SECRET}")\n'
    line = written(stack_info=stack)

    assert line.endswith("| logged at y/z.py:3 f")


# Others that log


def test_djangos_records_of_requests_tell_the_route_and_not_the_path() -> None:
    request = RequestFactory().get(f"/health/{SECRET}")
    arguments = ("Not Found", request.path)
    line = written("%s: %s", *arguments, name="django.request", status_code=404, request=request)
    assert line.endswith(" django.request: 404 unmatched")

    request.resolver_match = resolve("/health/live")
    line = written("%s: %s", *arguments, name="django.request", status_code=500, request=request)
    assert line.endswith(" django.request: 500 /health/live")

    line = written(f"Invalid HTTP_HOST header: '{SECRET}'.", name="django.security.DisallowedHost")
    assert SECRET not in line


@pytest.mark.parametrize(
    ("message", "arguments", "expected"),
    [
        (f"Invalid request from ip=1.2.3.4: Invalid Header '{SECRET}'", (), "Invalid request"),
        ("Error handling request %s %s", ("GET", f"/{SECRET}"), "Error handling request"),
        ("Worker (pid:%s) exited", (7,), "Worker (pid:7) exited"),
    ],
)
def test_gunicorns_records_quote_no_request(
    message: str, arguments: tuple[object, ...], expected: str
) -> None:
    assert written(message, *arguments, name="gunicorn.error").endswith(
        f"gunicorn.error: {expected}"
    )


HANDLERS = """
import logging, json, django
django.setup()
import procrastinate.contrib.django, gunicorn.glogging, gunicorn.config
from core.gunicorn import Logger
Logger(gunicorn.config.Config())
handlers = {
    name: [type(handler.formatter).__name__ for handler in logger.handlers]
    for name, logger in [("root", logging.root), *logging.root.manager.loggerDict.items()]
    if isinstance(logger, logging.Logger) and logger.handlers
}
levels = {
    name: logging.getLogger(name).getEffectiveLevel()
    for name in ("django.db.backends", "django.db.backends.schema", "procrastinate", "api.access",
        "django.request")
}
print(json.dumps([handlers, levels]))
"""


def in_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "core.settings", **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )


def test_every_handler_of_a_process_writes_through_the_formatter(
    database_url: Callable[[str], str], tmp_path: Path
) -> None:
    result = in_process(
        HANDLERS,
        DATABASE_URL=database_url("claimdrift_web"),
        CLAIMDRIFT_LOG_LEVEL="DEBUG",
        PROMETHEUS_MULTIPROC_DIR=str(tmp_path),
    )
    handlers, levels = json.loads(result.stdout)

    assert handlers == {"root": ["Formatter"], "gunicorn.error": ["Formatter"]}
    assert levels == {
        "django.db.backends": logging.INFO,
        "django.db.backends.schema": logging.INFO,
        "procrastinate": logging.DEBUG,
        "api.access": logging.INFO,
        "django.request": logging.ERROR,
    }


def test_no_statement_is_logged_at_any_level(database_url: Callable[[str], str]) -> None:
    code = f"""
import django
django.setup()
from django.db import connection
connection.force_debug_cursor = True
with connection.cursor() as cursor:
    cursor.execute("SELECT %s", ["{SECRET}"])
"""
    result = in_process(
        code, DATABASE_URL=database_url("claimdrift_worker"), CLAIMDRIFT_LOG_LEVEL="DEBUG"
    )

    assert SECRET not in result.stdout + result.stderr


WORKER = f"""
import asyncio, django
django.setup()
from procrastinate.contrib.django import app

@app.task(name="tests.fail", queue="test_logs")
def fail():
    from core.models import Customer
    Customer.objects.create(slug="Not A Slug", name="{SECRET}")

async def main():
    worker_app = app.with_connector(app.connector.get_worker_connector())
    async with worker_app.open_async():
        await worker_app.configure_task("tests.fail", queue="test_logs").defer_async()
        await worker_app.run_worker_async(queues=["test_logs"], wait=False, concurrency=1)

asyncio.run(main())
"""


def test_a_job_that_fails_tells_no_values(
    database_url: Callable[[str], str], owner: Database
) -> None:
    result = in_process(
        WORKER, DATABASE_URL=database_url("claimdrift_worker"), CLAIMDRIFT_LOG_LEVEL="DEBUG"
    )
    owner.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'tests.fail'")

    assert SECRET not in result.stdout + result.stderr
    assert "constraint customer_slug_check" in result.stderr


@pytest.mark.parametrize(
    ("level", "access", "expected"),
    [("DEBUG", True, "INFO"), ("ERROR", True, "INFO"), ("DEBUG", False, "CRITICAL")],
)
def test_the_access_log_has_a_switch_of_its_own(level: str, access: bool, expected: str) -> None:
    loggers = configuration(level, access_log=access)["loggers"]

    assert loggers["api.access"] == {"level": expected}


@pytest.fixture
def lost(connect: Connect) -> psycopg2.Error:
    """The error of a statement on a connection that the server closed."""
    connection = connect()
    with (
        closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser,
        superuser.cursor() as cursor,
    ):
        pid = connection.info.backend_pid
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(psycopg2.Error) as error, connection.cursor() as cursor:
        cursor.execute("SELECT %s", [SECRET])
    return error.value


def test_an_error_without_state_is_written_too(lost: psycopg2.Error) -> None:
    line = written(error=lost)

    assert "psycopg2" in line
    assert SECRET not in line
