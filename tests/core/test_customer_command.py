"""manage.py customer: what it adds, lists and refuses."""

import subprocess
from collections.abc import Callable

import pytest

from core.management.commands.customer import Command
from core.models import Customer
from tests.conftest import run_manage
from tests.database import Database
from tests.portfolio import Portfolio

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(database_url: Callable[[str], str]) -> Run:
    """Run `manage.py customer ...` as the worker's login."""
    return lambda *arguments: run_manage(
        "customer", *arguments, database_url=database_url("claimdrift_worker")
    )


def test_add_creates_the_customer_with_its_defaults(
    run: Run, worker: Database, portfolio: Portfolio
) -> None:
    slug = f"new-{portfolio.slug}"

    result = run("add", slug, "--name", "Lakeside Pédiatrics", "--time-zone", "America/Chicago")

    customer = worker.one("SELECT * FROM customer WHERE slug = %s", slug)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"Added customer {slug} (id {customer['id']}).\n"
    assert customer["name"] == "Lakeside Pédiatrics"
    assert customer["time_zone"] == "America/Chicago"
    assert customer["status"] == "active"
    for table in ("drift_settings", "alert_rule"):
        assert worker.value(f"SELECT count(*) FROM {table} WHERE customer_id = %s", customer["id"])


def test_the_time_zone_is_utc_unless_given(
    run: Run, worker: Database, portfolio: Portfolio
) -> None:
    slug = f"utc-{portfolio.slug}"

    assert run("add", slug, "--name", "Lakeside").returncode == 0
    assert worker.value("SELECT time_zone FROM customer WHERE slug = %s", slug) == "UTC"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Bad_Slug", "--name", "X"], "Bad_Slug can't be a slug: only lower-case letters"),
        (["", "--name", "X"], "can't be a slug"),
        (["a" * 61, "--name", "X"], "Too long: a slug has at most 60 characters"),
        (["nameless", "--name", ""], "The name must not be empty."),
        (
            ["zoneless", "--name", "X", "--time-zone", "Mars/Olympus"],
            "There is no time zone named 'Mars/Olympus'. Use a name of the IANA database",
        ),
    ],
)
def test_add_refuses_bad_arguments_in_one_line(
    run: Run, worker: Database, arguments: list[str], message: str
) -> None:
    before = worker.value("SELECT count(*) FROM customer")

    result = run("add", *arguments)

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
    assert worker.value("SELECT count(*) FROM customer") == before


def test_add_refuses_a_slug_that_is_taken(run: Run, portfolio: Portfolio) -> None:
    result = run("add", portfolio.slug, "--name", "Again")

    assert result.returncode == 1
    assert result.stderr == f"CommandError: There is a customer {portfolio.slug} already.\n"


def test_list_shows_every_customer(run: Run, portfolio: Portfolio) -> None:
    result = run("list")

    lines = result.stdout.splitlines()
    assert result.returncode == 0
    assert lines[0].split() == ["SLUG", "NAME", "TIME", "ZONE", "STATUS"]
    [line] = [line for line in lines if line.startswith(f"{portfolio.slug} ")]
    assert line.split() == [portfolio.slug, "Practice", portfolio.slug, "UTC", "active"]
    assert lines[1:] == sorted(lines[1:])
    assert len({line.rindex(" ") for line in lines}) == 1


def test_list_says_how_to_add_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Customer, "objects", Customer.objects.none())
    Command().run_from_argv(["manage.py", "customer", "list"])

    assert "manage.py customer add SLUG --name NAME" in capsys.readouterr().out


def test_an_action_is_required(run: Run) -> None:
    result = run()

    assert result.returncode != 0
    assert "action" in result.stderr
