"""`maintenance.self_test`: the stored logic tried as a whole, on a customer that never was."""

from collections.abc import Iterator

import psycopg2
import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.refusal import refused

TABLES = ("customer", "claim", "drift_run", "alert", "webhook_delivery", "procrastinate_jobs")
SELF_TEST = "SELECT maintenance.self_test()"


@pytest.fixture
def migrating(connect: Connect) -> Iterator[Database]:
    """A session of the owner's in a transaction that comes to nothing."""
    session = Database(connect("claimdrift_migrator"))
    session.connection.autocommit = False
    session.execute("SET LOCAL ROLE claimdrift_owner")
    yield session
    session.connection.rollback()


def counts(database: Database) -> list[int]:
    return [database.value(f"SELECT count(*) FROM {table}") for table in TABLES]


def break_function(database: Database, name: str, former: str, new: str) -> None:
    """Replace a part of a stored function's text."""
    text = database.value("SELECT pg_get_functiondef(to_regproc(%s))", name)
    assert former in text
    database.execute(text.replace(former, new).replace("%", "%%"))


def test_it_passes_and_leaves_nothing(owner: Database, migrating: Database) -> None:
    before = counts(owner)

    migrating.execute(SELF_TEST)
    assert counts(migrating) == before


def test_it_passes_in_the_middle_of_a_files_transaction(migrating: Database) -> None:
    migrating.execute("CREATE TEMPORARY TABLE other (id int) ON COMMIT DROP")

    migrating.execute(SELF_TEST)
    migrating.execute(SELF_TEST)


@pytest.mark.parametrize(
    ("name", "former", "new", "code"),
    [
        # Nothing is found.
        ("drift.has_effect", "SELECT", "SELECT false AND", "PD021"),
        # Nobody is told.
        ("webhooks.fan_out", "e.type <> 'webhook.test'", "e.type = 'webhook.test'", "PD021"),
        # A slip that shows only when it is called.
        ("webhooks.queue", "FROM public.webhook_delivery", "FROM public.webhook_delivry", "42P01"),
    ],
)
def test_it_fails_where_a_function_is_broken(
    migrating: Database, name: str, former: str, new: str, code: str
) -> None:
    break_function(migrating, name, former, new)

    with refused(code, "don't deploy"):
        migrating.execute(SELF_TEST)


@pytest.mark.parametrize("login", ["claimdrift_worker", "claimdrift_web"])
def test_it_is_the_owners(connect: Connect, login: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        Database(connect(login)).execute(SELF_TEST)
