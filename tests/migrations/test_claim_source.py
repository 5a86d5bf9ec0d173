"""The widening of the claim's key: at each step, releases of before and after load files."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from tests.conftest import DATABASE, SERVER, create_database, run_manage
from tests.database import Database

OWN_DATABASE = f"{DATABASE}_claim_source"
URL = SERVER.url("claimdrift_migrator", OWN_DATABASE)
STEPS = ("0011", "0012", "0013", "0014", "0015")

LOAD = (
    "SELECT rows_inserted, rows_updated FROM ingest.{function}(p_customer_id => %s,"
    " p_filename => 'claims.csv', p_sha256 => %s, p_size_bytes => 1{more})"
)


class Loader:
    """Loads one claim at a time, as the API's and the command's Python does."""

    def __init__(self) -> None:
        self.connection = psycopg2.connect(SERVER.url("claimdrift_worker", OWN_DATABASE))
        self.database = Database(self.connection)
        self.customer_id = self.database.value(
            "INSERT INTO customer (name, slug, time_zone) VALUES ('One', 'one', 'UTC') RETURNING id"
        )
        self.connection.commit()
        self._files = 0

    def load(self, day: int, source: str | None = None) -> tuple[int, int]:
        """Load claim C1 as decided on a day in January; rows inserted and updated."""
        self._files += 1
        self.database.execute("SELECT ingest.create_staging()")
        self.database.execute(
            "INSERT INTO pg_temp.staging"
            " (line, claim_number, payer, cpt, submitted_date, decided_date, outcome)"
            " VALUES (2, 'C1', 'Aetna', '99213', '2026-01-01', %s, 'PAID')",
            f"2026-01-{day:02}",
        )
        # Whoever knows of no sources calls the former function.
        function, more = ("merge", "") if source is None else ("merge_v2", ", p_source => %s")
        [counts] = self.database.execute(
            LOAD.format(function=function, more=more),
            self.customer_id,
            f"{self._files:064}",
            *([] if source is None else [source]),
        )
        self.connection.commit()
        return counts


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    """In a database of its own, before the first step."""
    create_database(OWN_DATABASE)
    migrate(STEPS[0])
    loader = Loader()
    yield loader
    loader.connection.close()
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser:
        superuser.autocommit = True
        with superuser.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{OWN_DATABASE}" WITH (FORCE)')


def migrate(step: str) -> None:
    result = run_manage("migrate", "core", step, database_url=URL)
    assert result.returncode == 0, result.stderr


@contextmanager
def owner() -> Iterator[Database]:
    with closing(psycopg2.connect(SERVER.url("postgres", OWN_DATABASE))) as superuser:
        superuser.autocommit = True
        yield Database(superuser)


def keys() -> set[str]:
    with owner() as database:
        rows = database.execute(
            "SELECT conname FROM pg_constraint"
            " WHERE conrelid = 'claim'::regclass AND contype = 'u' AND conname LIKE '%line_key'"
        )
    return {name for [name] in rows}


def test_both_releases_load_files_at_every_step(loader: Loader) -> None:
    assert loader.load(2) == (1, 0)

    day = 2
    for step in (*STEPS[1:], *reversed(STEPS[:-1]), *STEPS[1:]):
        migrate(step)
        day += 1
        assert loader.load(day) == (0, 1), step
        if step >= "0014":
            day += 1
            assert loader.load(day, "") == (0, 1), step
        assert {
            "0013": {"claim_customer_line_key", "claim_customer_source_line_key"},
            "0014": {"claim_customer_line_key", "claim_customer_source_line_key"},
            "0015": {"claim_customer_source_line_key"},
        }.get(step, {"claim_customer_line_key"}) == keys(), step


def test_the_way_back_is_refused_while_two_systems_use_a_number(loader: Loader) -> None:
    migrate(STEPS[-1])
    day = 20
    loader.load(day)
    assert loader.load(day, "athena") == (1, 0)

    result = run_manage("migrate", "core", "0014", database_url=URL)

    assert result.returncode == 1
    assert "customer_id, claim_number, line_number" in result.stderr
    assert "C1" not in result.stderr
    assert keys() == {"claim_customer_source_line_key"}
    assert loader.load(day + 1, "athena") == (0, 1)
    assert loader.load(day + 1) == (0, 1)
