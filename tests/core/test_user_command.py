"""manage.py user: people, their passwords and their customers."""

import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO

import pytest
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command

from core.management.commands.user import Command
from core.models import User
from tests.conftest import run_manage
from tests.database import Database
from tests.portfolio import Portfolio

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(database_url: Callable[[str], str]) -> Run:
    """Run `manage.py user ...` as the worker's login."""
    return lambda *arguments: run_manage(
        "user", *arguments, database_url=database_url("claimdrift_worker")
    )


@pytest.fixture
def email(portfolio: Portfolio) -> str:
    """An address that nobody has."""
    return f"person-{portfolio.slug}@example.org"


def user(owner: Database, email: str) -> dict[str, object]:
    return owner.one('SELECT * FROM "user" WHERE email = %s', email)


def test_a_password_is_made_and_shown_once(run: Run, owner: Database, email: str) -> None:
    result = run("add", email.upper(), "--name", "Dana Doe")

    row = user(owner, email)
    assert (result.returncode, result.stderr) == (0, "")
    first, second = result.stdout.splitlines()
    assert first == f"Added user {email} (id {row['id']})."
    match = re.fullmatch(r"Password, shown this once: (\S{16})", second)
    assert match
    assert check_password(match[1], str(row["password"]))
    assert (row["name"], row["is_active"], row["is_superuser"]) == ("Dana Doe", True, False)


def test_a_member_of_a_customer(
    run: Run, owner: Database, email: str, portfolio: Portfolio
) -> None:
    result = run("add", email, "--customer", portfolio.slug, "--role", "admin")

    assert result.stdout.endswith(f"{email} is admin at {portfolio.slug}.\n")
    [row] = portfolio.rows("membership")
    assert (row["user_id"], row["role"]) == (user(owner, email)["id"], "admin")


def test_one_who_exists_is_added_to_another_customer(
    run: Run, owner: Database, worker: Database, email: str, portfolio: Portfolio
) -> None:
    other = Portfolio(owner, worker)
    run("add", email, "--customer", portfolio.slug)
    result = run("add", email, "--customer", other.slug)

    assert (result.returncode, result.stdout) == (0, f"{email} is member at {other.slug}.\n")
    assert len(other.rows("membership")) == 1


def test_a_superuser(run: Run, owner: Database, email: str) -> None:
    result = run("add", email, "--superuser")

    assert ", a superuser." in result.stdout
    assert user(owner, email)["is_superuser"] is True


def with_password(database_url: str, email: str, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "manage.py", "user", "add", email, "--password-stdin"],
        env={"DATABASE_URL": database_url},
        cwd=settings.BASE_DIR,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_password_is_read_from_standard_input(
    owner: Database, email: str, database_url: Callable[[str], str]
) -> None:
    result = with_password(database_url("claimdrift_worker"), email, "correct horse battery\n")

    assert (result.returncode, result.stderr) == (0, "")
    assert "assword" not in result.stdout
    assert check_password("correct horse battery", str(user(owner, email)["password"]))


@pytest.mark.parametrize("text", ["", "\n", "password\n", "short\n"])
def test_a_bad_password_is_refused_without_showing_it(
    owner: Database, email: str, database_url: Callable[[str], str], text: str
) -> None:
    result = with_password(database_url("claimdrift_worker"), email, text)

    assert result.returncode == 1
    assert result.stderr.startswith("CommandError: This password is too")
    assert owner.value('SELECT count(*) FROM "user" WHERE email = %s', email) == 0


def test_a_refusal_is_one_line_and_exit_code_1(run: Run) -> None:
    result = run("add", "not an address")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "CommandError: Enter a valid email address.\n"


def test_what_can_not_be_is_refused(owner: Database, email: str, portfolio: Portfolio) -> None:
    call_command("user", "add", f"first-{email}", "--customer", portfolio.slug, stdout=StringIO())
    before = owner.value('SELECT count(*) FROM "user"')
    for arguments, message in (
        ([email, "--role", "admin"], "A role is one at a customer"),
        ([email, "--customer", "nobody"], "There is no customer nobody. There are:"),
        ([f"first-{email}"], f"There is a user first-{email} already."),
        ([f"first-{email}", "--superuser"], f"There is a user first-{email} already."),
        ([f"first-{email}", "--customer", portfolio.slug], f"works for {portfolio.slug} already."),
    ):
        with pytest.raises(CommandError, match=re.escape(message)):
            call_command("user", "add", *arguments)
    assert owner.value('SELECT count(*) FROM "user"') == before


def test_list_shows_state_and_customers(
    run: Run, owner: Database, email: str, portfolio: Portfolio
) -> None:
    for arguments in (
        [email, "--customer", portfolio.slug, "--role", "admin"],
        [f"boss-{email}", "--superuser"],
        [f"gone-{email}"],
    ):
        call_command("user", "add", *arguments, stdout=StringIO())
    owner.execute('UPDATE "user" SET is_active = false WHERE email = %s', f"gone-{email}")

    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["EMAIL", "STATE", "CUSTOMERS"]
    found = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines[1:]}
    assert found[email] == ["active", f"{portfolio.slug} (admin)"]
    assert found[f"boss-{email}"] == ["superuser", "all"]
    assert found[f"gone-{email}"] == ["disabled", "none"]


def test_list_says_how_to_add_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(User, "objects", User.objects.none())
    Command().run_from_argv(["manage.py", "user", "list"])

    assert "manage.py user add EMAIL" in capsys.readouterr().out
