"""How PostgreSQL finds a list's rows: by which index, and how many rows it reads on the way.

The statements are those that the API sends, explained in their own transactions: as the tenant,
under row-level security. Rows read are what is counted, not time: they are the same everywhere.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import psycopg2
import pytest
from django.db import connection, connections
from psycopg2.extensions import connection as Connection

from tests.api.client import Api, new_superuser
from tests.api.practice import CLAIMS, DAYS, RUNS, START, Practice
from tests.conftest import DATABASE, SERVER, create_database
from tests.database import Database

A_DAY: Final = CLAIMS // DAYS
OF_ENDED: Final = 12_000
MEASURED: Final = 600
NOBODY: Final = 10**17

# A page of 25 and the row that says that there are more are read twice: by key, then with names.
# Should the planner begin with the three payers, they are read three times.
PAGE: Final = 4 * 26
COUNTED: Final = 10_001
NEAR: Final = 5_000


@dataclass
class Reading:
    """What some statements read of one table."""

    table: str
    indexes: set[str] = field(default_factory=set)
    rows: int = 0

    def add(self, node: dict[str, Any]) -> None:
        if node.get("Relation Name") == self.table:
            removed = sum(
                node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck")
            )
            self.rows += round((node["Actual Rows"] + removed) * node["Actual Loops"])
        if "Index Name" in node:
            self.indexes.add(node["Index Name"])
        for child in node.get("Plans", ()):
            self.add(child)


@contextmanager
def reading(table: str) -> Iterator[Reading]:
    """Explain each statement about a table, where and as whom it runs."""
    result = Reading(table)

    def explain(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if f'FROM "{table}"' in sql:
            with context["connection"].connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", parameters)
                result.add(cursor.fetchone()[0][0]["Plan"])
        return execute(sql, parameters, many, context)

    connection.ensure_connection()
    with connection.execute_wrapper(explain):
        yield result


def read(api: Api, url: str, table: str) -> Reading:
    with reading(table) as result:
        answer = api.get(url)
    assert answer.status == 200, answer.content
    return result


@pytest.fixture(scope="module")
def connect_apart(django_db_setup: None) -> Iterator[Callable[[str], Database]]:
    """Connections, Django's too, to a database of its own: what others leave behind would change
    what plans cost."""
    name = f"{DATABASE}_plans"
    create_database(name)
    settings = connections["default"].settings_dict
    former = settings["NAME"]
    settings["NAME"] = name
    opened: list[Connection] = []

    def connect(login: str) -> Database:
        opened.append(psycopg2.connect(SERVER.url(login, name)))
        opened[-1].autocommit = True
        return Database(opened[-1])

    yield connect
    settings["NAME"] = former
    for each in opened:
        each.close()
    with closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as server:
        server.autocommit = True
        Database(server).execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def practice(connect_apart: Callable[[str], Database]) -> Practice:
    return Practice(connect_apart("claimdrift_migrator"), connect_apart("claimdrift_worker"))


@pytest.fixture(scope="module")
def superuser(practice: Practice) -> Api:
    return new_superuser(practice.worker)


ORDERINGS = {
    "id": ("claim_customer_id_key", 0),
    # A whole day is sorted by id; so are the claims that nobody has decided.
    "submitted_date": ("claim_submitted_idx", 2 * A_DAY),
    "first_decided_date": ("claim_detection_idx", 2 * A_DAY),
}


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("column", ORDERINGS)
def test_a_first_page_is_read_along_its_orderings_index(
    practice: Practice, column: str, sign: str
) -> None:
    index, more = ORDERINGS[column]
    found = read(practice.member, f"/claims?ordering={sign}{column}", "claim")

    assert index in found.indexes
    assert found.rows <= COUNTED + PAGE + more


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("column", ORDERINGS)
def test_a_page_far_in_takes_no_longer_than_the_first(
    practice: Practice, column: str, sign: str, share: float, backward: bool
) -> None:
    index, more = ORDERINGS[column]
    url = practice.page_after(practice.key(sign + column, share), sign + column, backward=backward)
    found = read(practice.member, url, "claim")

    assert index in found.indexes
    assert found.rows <= COUNTED + PAGE + 2 * more


Query = Callable[[Practice], dict[str, Any]]

WEEK = {
    "first_decided_date_after": START + timedelta(200),
    "first_decided_date_before": START + timedelta(206),
}
# What is asked, the index that finds it, and how many rows there are to look at, at most.
FEW: dict[str, tuple[Query, str, int]] = {
    "payer": (lambda p: {"payer": p.rare}, "claim_filter_idx", 12),
    "payers": (lambda p: {"payer__in": f"{p.rare},{NOBODY}"}, "claim_filter_idx", 12),
    "no payer": (lambda p: {"payer": NOBODY}, "claim_filter_idx", 0),
    "group": (lambda p: {"cpt_group": p.group("Group 3")}, "claim_filter_idx", CLAIMS // 20),
    "code": (lambda p: {"cpt": "99007"}, "claim_filter_idx", CLAIMS // 40),
    "pending": (lambda p: {"outcome": "PENDING"}, "claim_filter_idx", CLAIMS // 1000),
    "source": (
        lambda p: {"source": "lab"},
        "claim_customer_source_line_key",
        CLAIMS // 4000,
    ),
    "reason": (lambda p: {"denial_code": "CO-9"}, "claim_denial_code_idx", 9),
    "week of decisions": (lambda p: WEEK, "claim_detection_idx", 8 * A_DAY),
    "drill-down": (
        lambda p: WEEK | {"payer": p.usual, "cpt_group": p.group("Group 0"), "outcome": "DENIED"},
        "claim_detection_idx",
        8 * A_DAY,
    ),
    "week of submissions": (
        lambda p: {
            "submitted_date_after": START + timedelta(200),
            "submitted_date_before": START + timedelta(206),
        },
        "claim_submitted_idx",
        8 * A_DAY,
    ),
    "number": (lambda p: {"search": "C10012"}, "claim_customer_source_line_key", 10),
    "no number": (lambda p: {"search": "nothing"}, "claim_customer_source_line_key", 0),
    "after the end": (
        lambda p: {"payer": p.ended, "submitted_date_after": START + timedelta(390)},
        "claim_submitted_idx",
        11 * A_DAY,
    ),
}


@pytest.mark.parametrize("ordering", ["-id", "first_decided_date", "-submitted_date"])
@pytest.mark.parametrize("name", FEW)
def test_few_claims_are_found_by_the_filters_index(
    practice: Practice, name: str, ordering: str
) -> None:
    query, index, rows = FEW[name]
    url = f"/claims?{urlencode(query(practice) | {'ordering': ordering})}"
    found = read(practice.member, url, "claim")

    assert index in found.indexes
    # Once to be counted and once to be sorted.
    assert found.rows <= 2 * rows + PAGE


@pytest.mark.parametrize("ordering", ["id", "-id", "submitted_date", "-submitted_date"])
def test_many_claims_are_found_near_by(practice: Practice, ordering: str) -> None:
    for query in ({"payer": practice.usual}, {"outcome": "PAID"}, {"search": "C1"}):
        url = f"/claims?{urlencode(query | {'ordering': ordering})}"
        found = read(practice.member, url, "claim")
        # The rows near by are listed, then looked at.
        assert found.rows <= COUNTED + 2 * (NEAR + A_DAY) + PAGE, url


@pytest.mark.parametrize("ordering", ["-id", "-submitted_date", "-first_decided_date"])
def test_many_claims_that_lie_far_away_are_found_by_the_filters_index(
    practice: Practice, ordering: str
) -> None:
    """The planner believes that a payer's claims are everywhere, and would read all the others."""
    found = read(practice.member, f"/claims?payer={practice.ended}&ordering={ordering}", "claim")

    assert "claim_filter_idx" in found.indexes
    assert found.rows <= COUNTED + 2 * (NEAR + A_DAY) + OF_ENDED + PAGE


def test_a_range_of_the_ordering_is_where_the_walk_begins(practice: Practice) -> None:
    url = f"/claims?submitted_date_before={START + timedelta(150)}&ordering=-submitted_date"
    found = read(practice.member, url, "claim")

    assert "claim_submitted_idx" in found.indexes
    assert found.rows <= COUNTED + 2 * (NEAR + A_DAY) + PAGE


def test_names_are_joined_to_the_page_alone(practice: Practice) -> None:
    with reading("claim") as found:
        found.table = "payer"
        practice.member.get("/claims")

    assert found.rows <= 2 * PAGE


def test_all_customers_claims_are_read_by_their_id(practice: Practice, superuser: Api) -> None:
    found = read(superuser, "/claims", "claim")

    assert "claim_pkey" in found.indexes
    assert found.rows <= COUNTED + PAGE


@pytest.mark.parametrize("which", [0, RUNS // 2, -1])
def test_a_runs_measurements_are_found_by_their_run(practice: Practice, which: int) -> None:
    """Those of one run lie together: along the ids, all others would be read."""
    url = f"/drift-runs/{practice.runs[which]}/measurements"
    found = read(practice.member, url, "drift_measurement")

    assert "drift_measurement_customer_group_key" in found.indexes
    # Counted, sorted, and perhaps looked through for the page's ids; there are 20 runs.
    assert found.rows <= 3 * MEASURED + PAGE
