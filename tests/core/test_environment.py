"""Settings from the environment: parsed once, refused loudly, secrets never shown."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core.environment import Environment, database_from_url
from tests.conftest import DATABASE, SERVER


def test_a_variable_that_no_setting_reads_is_refused() -> None:
    env = Environment({"CLAIMDRIFT_DEBUG": "1", "CLAIMDRIFT_DEBGU": "1", "PATH": "/bin"})
    env.boolean("DEBUG", default=False)

    with pytest.raises(ImproperlyConfigured, match=r"CLAIMDRIFT_DEBGU\. docs/settings\.md lists"):
        env.refuse_unknown()


def test_known_variables_and_those_of_others_are_accepted() -> None:
    env = Environment({"CLAIMDRIFT_DEBUG": "1", "DATABASE_URL": "", "HOME": "/", "DEBUG": "x"})
    env.boolean("DEBUG", default=False)
    env.text("DATABASE_URL", default="")

    env.refuse_unknown()
    assert env.known == {"CLAIMDRIFT_DEBUG", "DATABASE_URL", "DATABASE_URL_FILE"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("TRUE", True), (" 1 ", True), ("false", False), ("0", False)],
)
def test_booleans(value: str, expected: bool) -> None:
    assert Environment({"CLAIMDRIFT_X": value}).boolean("X", default=not expected) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("False", False),
        ("1", True),
        ("0", False),
        ("9001", frozenset({9001})),
        ("9001, 9002 65535", frozenset({9001, 9002, 65535})),
    ],
)
def test_booleans_or_ports(value: str, expected: bool | frozenset[int]) -> None:
    environment = Environment({"CLAIMDRIFT_X": value})
    assert environment.boolean_or_ports("X", default=False) == expected
    assert isinstance(environment.boolean_or_ports("X", default=False), type(expected))
    assert Environment({}).boolean_or_ports("X", default=True) is True


@pytest.mark.parametrize("value", ["", "yes", "65536", "-1", "9001 true", "0 1", "9001;9002"])
def test_what_is_neither_boolean_nor_ports_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CLAIMDRIFT_X must be true, false or port"):
        Environment({"CLAIMDRIFT_X": value}).boolean_or_ports("X", default=True)


@pytest.mark.parametrize("value", ["", "yes", "2", "on", "truee"])
def test_a_bad_boolean_is_refused_by_name(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^CLAIMDRIFT_X must be true or false\.$"):
        Environment({"CLAIMDRIFT_X": value}).boolean("X", default=True)


@pytest.mark.parametrize("value", ["", "-1", "1.5", "six", "4", "1e3", "٣x"])
def test_a_bad_integer_is_refused_by_name(value: str) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"^CLAIMDRIFT_X must be a whole number of at least 5\.$"
    ):
        Environment({"CLAIMDRIFT_X": value}).integer("X", default=7, minimum=5)


def test_integers_and_words() -> None:
    env = Environment({"CLAIMDRIFT_N": "5", "CLAIMDRIFT_W": "a, b  c,"})

    assert env.integer("N", default=7, minimum=5) == 5
    assert env.integer("M", default=7, minimum=5) == 7
    assert env.words("W", default="") == ["a", "b", "c"]
    assert env.words("V", default="d e") == ["d", "e"]


def test_a_choice_is_one_of_those_offered() -> None:
    env = Environment({"CLAIMDRIFT_X": "b"})

    assert env.choice("X", default="a", choices=["a", "b"]) == "b"
    with pytest.raises(ImproperlyConfigured, match=r"^CLAIMDRIFT_X must be one of a, c\.$"):
        env.choice("X", default="a", choices=["a", "c"])


def test_a_short_secret_is_refused_without_showing_it() -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        Environment({"CLAIMDRIFT_SECRET_KEY": "hunter2"}).secret("SECRET_KEY", minimum_length=32)

    assert "CLAIMDRIFT_SECRET_KEY must have at least 32 characters" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_an_unset_secret_is_random() -> None:
    secrets = {Environment({}).secret("SECRET_KEY", minimum_length=32) for _ in range(3)}

    assert len(secrets) == 3
    assert min(map(len, secrets)) >= 32


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("  a key of many characters\n", encoding="utf-8")
    env = Environment({"CLAIMDRIFT_SECRET_KEY_FILE": str(file)})

    assert env.secret("SECRET_KEY", minimum_length=20) == "a key of many characters"
    assert env.file("SECRET_KEY") == file
    assert env.file("DATABASE_URL") is None
    env.refuse_unknown()


def test_what_is_no_secret_may_not(tmp_path: Path) -> None:
    env = Environment({"CLAIMDRIFT_DEBUG_FILE": str(tmp_path)})
    env.boolean("DEBUG", default=False)

    with pytest.raises(ImproperlyConfigured, match="CLAIMDRIFT_DEBUG_FILE"):
        env.refuse_unknown()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"can't be read \(No such file or directory\)"),
        (b" \n", "is empty"),
        (b"hunter2\xff", r"can't be read \(it isn't UTF-8\)"),
    ],
)
def test_a_file_without_a_secret_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    env = Environment({"CLAIMDRIFT_METRICS_TOKEN_FILE": str(file)})

    with pytest.raises(
        ImproperlyConfigured, match=rf"^CLAIMDRIFT_METRICS_TOKEN_FILE: \S+ {message}\.$"
    ) as error:
        env.text("METRICS_TOKEN", default="")
    assert "hunter2" not in str(error.value)


def test_a_secret_and_a_file_of_it_are_one_too_many(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://me@/data", encoding="utf-8")
    env = Environment({"DATABASE_URL": "postgresql://me@/other", "DATABASE_URL_FILE": str(file)})

    with pytest.raises(
        ImproperlyConfigured, match=r"^Set DATABASE_URL or DATABASE_URL_FILE, not both\.$"
    ):
        env.text("DATABASE_URL", default="")


def test_a_full_uri_is_taken_apart() -> None:
    assert database_from_url(
        "postgresql://us%40er:p%2Fa%3Ass%20@db.example:6432/my%20data?sslmode=require"
        "&application_name=mine"
    ) == {
        "NAME": "my data",
        "USER": "us@er",
        "PASSWORD": "p/a:ss ",
        "HOST": "db.example",
        "PORT": "6432",
        "OPTIONS": {"application_name": "mine", "sslmode": "require"},
    }


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_host_may_be_a_socket_directory_in_the_query(scheme: str) -> None:
    found = database_from_url(f"{scheme}://me@/data?host=/run/a%20b&port=5433")

    assert (found["HOST"], found["PORT"], found["NAME"]) == ("/run/a b", "5433", "data")


def test_what_was_taken_apart_connects() -> None:
    found = database_from_url(SERVER.url("claimdrift_worker", DATABASE))
    connection = psycopg2.connect(dbname=found["NAME"], user=found["USER"], host=found["HOST"])
    connection.close()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hunter2@host/db",
        "host=localhost password=hunter2 dbname=db",
        "postgresql://user:hunter2@host:port/db?nonsense=1",
        "postgresql://user:hunter2%zz@host/db",
        "postgresql://user:hunter2@[::1/db",
        "postgresql://user:hunter2@host",
        "postgresql://user:hunter2@host/",
        "postgresql://user@host/db?password=hunter2&typo=1",
    ],
)
def test_a_bad_uri_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as error:
        database_from_url(url)

    shown = [str(error.value), str(error.value.__cause__)]
    if not error.value.__suppress_context__:
        shown.append(str(error.value.__context__))
    assert "hunter2" not in " ".join(shown)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CLAIMDRIFT_DEBUGG", "1", "Unknown settings in the environment: CLAIMDRIFT_DEBUGG."),
        ("CLAIMDRIFT_DEBUG", "maybe", "CLAIMDRIFT_DEBUG must be true or false."),
        ("CLAIMDRIFT_CONN_MAX_AGE", "-1", "CLAIMDRIFT_CONN_MAX_AGE must be a whole number"),
        ("DATABASE_URL", "postgresql://u:hunter2@h/d%zz", "DATABASE_URL isn't a libpq URI"),
        ("CLAIMDRIFT_LOG_LEVEL", "LOUD", "CLAIMDRIFT_LOG_LEVEL must be one of"),
    ],
)
def test_a_process_with_a_bad_environment_does_not_start(
    name: str, value: str, message: str
) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={**os.environ, name: value},
        cwd=settings.BASE_DIR,
        text=True,
        capture_output=True,
        check=False,
    )

    assert result.returncode != 0
    assert message in result.stderr.splitlines()[-1]
    assert "hunter2" not in result.stderr
