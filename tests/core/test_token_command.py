"""manage.py token: prints a token that works, and keeps only its digest."""

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from core import tokens
from tests.conftest import Connect, run_manage
from tests.database import Database
from tests.portfolio import Portfolio
from tests.tenancy.access import AUTHENTICATE, member, superuser, suspend

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(database_url: Callable[[str], str]) -> Run:
    """Run `manage.py token ...` as the worker's login."""
    return lambda *arguments: run_manage(
        "token", *arguments, database_url=database_url("claimdrift_worker")
    )


@pytest.fixture
def web(connect: Connect) -> Database:
    return Database(connect("claimdrift_web"))


def email_of(owner: Database, user_id: int) -> str:
    email: str = owner.value('SELECT email FROM "user" WHERE id = %s', user_id)
    return email


def test_a_members_token_is_printed_and_nothing_else(
    run: Run, web: Database, owner: Database, portfolio: Portfolio
) -> None:
    user_id = member(portfolio, "admin")
    email = email_of(owner, user_id)
    result = run(email.upper(), "--customer", portfolio.slug, "--name", "Nightly")

    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"cd_[A-Za-z0-9_-]{43}\n", result.stdout)
    token = result.stdout.strip()
    found = web.one(AUTHENTICATE, tokens.digest(token))
    assert (found["user_id"], found["customer_id"]) == (user_id, portfolio.customer_id)
    row = owner.one("SELECT * FROM api_token WHERE id = %s", found["token_id"])
    assert (row["name"], row["prefix"], row["scope"]) == ("Nightly", token[:11], "read")
    assert abs(row["expires_at"] - datetime.now(UTC) - timedelta(days=90)) < timedelta(hours=1)


def test_scope_and_days_are_as_asked(run: Run, owner: Database, portfolio: Portfolio) -> None:
    user_id = member(portfolio)
    run(
        email_of(owner, user_id), "--customer", portfolio.slug, "--name", "x",
        "--scope", "write", "--days", "1",
    )  # fmt: skip

    row = owner.one("SELECT * FROM api_token WHERE user_id = %s", user_id)
    assert row["scope"] == "write"
    assert row["expires_at"] - row["created_at"] < timedelta(days=1, minutes=1)


def test_a_superusers_works_everywhere(
    run: Run, web: Database, owner: Database, portfolio: Portfolio
) -> None:
    result = run(email_of(owner, superuser(portfolio)), "--name", "x")

    found = web.one(AUTHENTICATE, tokens.digest(result.stdout.strip()))
    assert (found["is_superuser"], found["customer_id"]) == (True, None)


def test_a_refusal_is_one_line_and_exit_code_1(run: Run) -> None:
    result = run("nobody@example.org", "--name", "x")

    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "Add one: manage.py user add nobody@example.org" in result.stderr


def test_what_can_not_be_is_refused(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    email = email_of(owner, member(portfolio))
    other = Portfolio(owner, worker)
    closed = Portfolio(owner, worker)
    member(closed, user_id=owner.value('SELECT id FROM "user" WHERE email = %s', email))
    suspend(closed)
    for arguments, message in (
        ([email, "--name", "x"], "so say for which customer: --customer SLUG."),
        ([email, "--name", "x", "--customer", "none"], "There is no customer none."),
        ([email, "--name", "x", "--customer", other.slug], "Add the user to the customer first."),
        ([email, "--name", "x", "--customer", closed.slug], "Customer suspended."),
        ([email, "--name", "", "--customer", portfolio.slug], "The name must not be empty."),
        ([email, "--name", "x" * 101, "--customer", portfolio.slug], "may have 100 characters."),
    ):
        with pytest.raises(CommandError, match=re.escape(message)):
            call_command("token", *arguments)


@pytest.mark.parametrize("days", ["0", "-1", "367", "x"])
def test_days_have_their_limits(days: str) -> None:
    with pytest.raises(CommandError, match="give 1 to 366 days"):
        call_command("token", "a@example.org", "--name=x", f"--days={days}")
