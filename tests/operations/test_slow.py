"""What docs/operations.md looks at when it is slow: every query runs, as whom it says."""

import re
from collections.abc import Iterator

import psycopg2
import pytest

from tests.conftest import DATABASE, SERVER
from tests.database import Database
from tests.operations.page import PAGE, block

QUERIES = [
    query
    for query in re.split(
        r"(?<=;)\n", block("When it is slow", "sql", "maintenance.activity") + "\n"
    )
    if query.strip()
]


@pytest.fixture
def monitor() -> Iterator[Database]:
    """A DBA's login: a member of pg_monitor, and of what the worker works as."""
    superuser = psycopg2.connect(SERVER.url("postgres", DATABASE))
    database = Database(superuser)
    try:
        database.execute("CREATE ROLE some_dba")
        database.execute("GRANT pg_monitor, claimdrift_platform TO some_dba")
        database.execute("SET ROLE some_dba")
        yield database
    finally:
        superuser.rollback()
        superuser.close()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.strip().splitlines()[0])
def test_each_query_runs(monitor: Database, query: str) -> None:
    monitor.execute(query)


def test_the_statements_that_take_the_time(monitor: Database) -> None:
    monitor.execute("RESET ROLE")
    monitor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    monitor.execute("SET ROLE some_dba")
    query = block("When it is slow", "sql", "FROM pg_stat_statements")

    assert monitor.dicts(query)[0].keys() == {"calls", "ms", "mean", "rows", "query"}


def test_each_query_in_the_page_is_one_of_these() -> None:
    assert len(QUERIES) == 7
    assert PAGE.count("## When it is slow") == 1
