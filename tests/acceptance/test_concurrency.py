"""Detection and users at the same time: as if one after the other, customer by customer."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import psycopg2
import pytest

from tests.acceptance.together import (
    Background,
    DatabaseUrl,
    Work,
    do_together,
    open_connections,
)
from tests.database import Database
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)
DETECT = "SELECT drift.detect(p_customer_id => %s, p_as_of => %s)"

# What differs between two customers with the same claims.
OWN = {
    "id",
    "customer_id",
    "run_id",
    "payer_id",
    "cpt_group_id",
    "rule_id",
    "alert_id",
    "frozen_alert_id",
    "previous_alert_id",
}
TIMES = {"created_at", "opened_at", "updated_at", "at"}


def fill(portfolio: Portfolio, rates: Sequence[float] = (0.1, 0.3, 0.35)) -> Portfolio:
    """Claims of a payer for each rate, which is that of the last 14 days; before, it was 0.1."""
    shift = AS_OF - timedelta(days=14)
    for number, rate in enumerate(rates):
        group = f"G{number}"
        portfolio.decide_period(
            shift - timedelta(280), shift, per_day=10, rate=0.1, payer=f"P{number}", group=group
        )
        portfolio.decide_period(
            shift, AS_OF, per_day=10, rate=rate, payer=f"P{number}", group=group
        )
    return portfolio


def detecting(customer_id: int, as_of: date = AS_OF) -> Work:
    return lambda database: database.value(DETECT, customer_id, as_of)


def moving(move: str, customer_id: int, alert_id: int) -> Work:
    call = f"SELECT alerts.{move}(%s, %s, NULL)"
    return lambda database: database.value(call, customer_id, alert_id)


@pytest.fixture
def filled(portfolio: Portfolio) -> Portfolio:
    return fill(portfolio)


@pytest.fixture
def database(database_url: DatabaseUrl) -> Iterator[Database]:
    with open_connections(database_url, 1) as [database]:
        yield database


def result_of(portfolio: Portfolio) -> dict[str, list[dict[str, Any]]]:
    """Everything that detection leaves behind, but for ids and times."""
    return {
        table: [
            {key: value for key, value in row.items() if key not in OWN | TIMES}
            for row in portfolio.rows(table)
        ]
        for table in ("drift_measurement", "drift_event", "alert", "alert_transition")
    }


def count_errors(results: list[Any]) -> Counter[str]:
    return Counter(str(e.pgcode) for e in results if isinstance(e, psycopg2.Error))


def begin_with_lock(database: Database, customer_id: int) -> None:
    database.execute("BEGIN")
    database.execute("SELECT drift.lock_customer(%s)", customer_id)


def test_sixteen_at_once_leave_what_one_run_leaves(
    filled: Portfolio, owner: Database, worker: Database, database_url: DatabaseUrl
) -> None:
    alone = fill(Portfolio(owner, worker))
    alone.detect(AS_OF)

    with open_connections(database_url, 16) as databases:
        results = do_together(databases, [detecting(filled.customer_id)] * 16)

    assert count_errors(results) == {}
    assert len(set(results)) == 16, "each has a run of its own in the log"
    assert result_of(filled) == result_of(alone)
    assert len(filled.rows("alert")) == 2
    assert [row["status"] for row in filled.rows("drift_run")] == ["completed"] * 16


def test_eight_customers_at_once_each_get_what_is_theirs(
    owner: Database, worker: Database, database_url: DatabaseUrl
) -> None:
    portfolios = [fill(Portfolio(owner, worker)) for _ in range(8)]
    alone = fill(Portfolio(owner, worker))
    alone.detect(AS_OF)

    with open_connections(database_url, 16) as databases:
        results = do_together(
            databases,
            [detecting(portfolio.customer_id) for portfolio in portfolios * 2],
        )

    assert count_errors(results) == {}
    expected = result_of(alone)
    assert all(result_of(portfolio) == expected for portfolio in portfolios)


def test_customers_never_wait_for_each_other(
    owner: Database, worker: Database, database_url: DatabaseUrl
) -> None:
    portfolios = [fill(Portfolio(owner, worker), rates=[0.1, 0.3]) for _ in range(8)]
    with open_connections(database_url, 8) as databases:
        # Each has detected and holds all that detection locks until all others are through.
        for database, portfolio in zip(databases, portfolios, strict=True):
            database.execute("SET lock_timeout = '20s'")
            database.execute("BEGIN")
            database.execute(DETECT, portfolio.customer_id, AS_OF)
        pids = [database.connection.info.backend_pid for database in databases]
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = ANY(%s)"
        held = worker.value(f"{locks} AND granted", pids)
        waiting = worker.value(f"{locks} AND NOT granted", pids)
        blocked = worker.execute(
            "SELECT pid FROM unnest(%s) AS pid WHERE pg_blocking_pids(pid) <> '{}'", pids
        )
        for database in databases:
            database.execute("COMMIT")

    assert (held, waiting, blocked) == (8, 0, [])
    assert {len(portfolio.rows("alert")) for portfolio in portfolios} == {1}


def test_who_waits_waits_for_its_own_customer(
    owner: Database, worker: Database, database_url: DatabaseUrl
) -> None:
    portfolios = [fill(Portfolio(owner, worker), rates=[0.1, 0.3]) for _ in range(4)]
    with open_connections(database_url, 8) as databases:
        holders, waiters = databases[:4], databases[4:]
        for holder, portfolio in zip(holders, portfolios, strict=True):
            begin_with_lock(holder, portfolio.customer_id)
        background = [
            Background(waiter, detecting(portfolio.customer_id))
            for waiter, portfolio in zip(waiters, portfolios, strict=True)
        ]
        for work in background:
            work.wait_until_blocked(worker)

        for holder, waiter in zip(holders, waiters, strict=True):
            assert worker.value(
                "SELECT pg_blocking_pids(%s)", waiter.connection.info.backend_pid
            ) == [holder.connection.info.backend_pid]
        # One after the other is let go, and only its own waiter goes on.
        for number, holder in enumerate(holders):
            assert all(work.is_running() for work in background[number:])
            holder.execute("COMMIT")
            background[number].join()


def test_detect_decides_on_what_the_holder_of_the_lock_has_resolved(
    filled: Portfolio, worker: Database, database: Database
) -> None:
    filled.detect(AS_OF)
    alert = filled.rows("alert")[0]
    worker.execute("BEGIN")
    worker.execute("SELECT alerts.resolve(%s, %s, NULL)", filled.customer_id, alert["id"])
    detection = Background(database, detecting(filled.customer_id, AS_OF + timedelta(1)))
    detection.wait_until_blocked(filled.owner)
    worker.execute("COMMIT")
    detection.join()

    # Had it decided before, it would have counted an open alert, or opened another one.
    assert [(row["status"], row["occurrences"]) for row in filled.rows("alert")] == [
        ("resolved", 1),
        ("open", 2),
    ]
    assert len(filled.rows("drift_event")) == 4


def test_detect_measures_claims_that_the_holder_of_the_lock_has_written(
    filled: Portfolio, owner: Database, worker: Database, database: Database
) -> None:
    begin_with_lock(owner, filled.customer_id)
    for number in (1, 2):
        filled.decide(AS_OF - timedelta(1), paid=20_000, payer=f"P{number}", group=f"G{number}")
    detection = Background(database, detecting(filled.customer_id))
    detection.wait_until_blocked(worker)
    owner.execute("COMMIT")
    detection.join()

    assert filled.rows("alert") == []


def test_detect_reads_the_clock_and_todays_date_after_the_wait(
    filled: Portfolio, owner: Database, worker: Database, database: Database
) -> None:
    # These zones are 26 hours apart: they never have the same date.
    zone = "UPDATE customer SET time_zone = %s WHERE id = %s"
    worker.execute(zone, "Pacific/Kiritimati", filled.customer_id)
    begin_with_lock(owner, filled.customer_id)
    owner.execute(zone, "Etc/GMT+12", filled.customer_id)
    detection = Background(
        database, lambda d: d.value("SELECT drift.detect(%s)", filled.customer_id)
    )
    detection.wait_until_blocked(worker)
    today = "SELECT (clock_timestamp() AT TIME ZONE 'Etc/GMT+12')::date"
    earliest = owner.value(today)
    released_at = owner.value("SELECT clock_timestamp()")
    owner.execute("COMMIT")
    run_id = detection.join()
    latest = owner.value(today)

    [run] = filled.rows("drift_run")
    assert run["id"] == run_id
    assert run["started_at"] >= released_at
    assert earliest <= run["as_of"] <= latest


def test_times_of_transitions_come_after_the_wait(
    filled: Portfolio, owner: Database, worker: Database, database: Database
) -> None:
    filled.detect(AS_OF)
    alert_id = filled.rows("alert")[0]["id"]
    begin_with_lock(owner, filled.customer_id)
    move = Background(database, moving("acknowledge", filled.customer_id, alert_id))
    move.wait_until_blocked(worker)
    released_at = owner.value("SELECT clock_timestamp()")
    owner.execute("COMMIT")
    move.join()

    assert filled.rows("alert_transition")[-1]["at"] >= released_at
    assert filled.rows("alert")[0]["updated_at"] >= released_at


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize(
    "call",
    [
        "drift.detect({c})",
        "alerts.acknowledge({c}, {a}, NULL)",
        "alerts.resolve({c}, {a}, NULL)",
        "alerts.reopen({c}, {a}, NULL)",
        "alerts.judge({c}, {a}, NULL, 'noise')",
    ],
)
def test_isolation_levels_that_would_see_the_past_are_refused(
    filled: Portfolio, database: Database, level: str, call: str
) -> None:
    filled.detect(AS_OF)
    alert_id = filled.rows("alert")[0]["id"]
    database.execute(f"BEGIN ISOLATION LEVEL {level}")

    with pytest.raises(psycopg2.Error) as error:
        database.execute("SELECT " + call.format(c=filled.customer_id, a=alert_id))

    database.execute("ROLLBACK")
    assert error.value.pgcode == "PD001"


@pytest.mark.parametrize("move", ["acknowledge", "resolve"])
def test_of_sixteen_equal_moves_one_is_made(
    filled: Portfolio, database_url: DatabaseUrl, move: str
) -> None:
    filled.detect(AS_OF)
    alert_id = filled.rows("alert")[0]["id"]

    with open_connections(database_url, 16) as databases:
        results = do_together(databases, [moving(move, filled.customer_id, alert_id)] * 16)

    assert count_errors(results) == {"PD007": 15}
    assert [result for result in results if isinstance(result, int)] == [2]
    versions = [
        row["version"] for row in filled.rows("alert_transition") if row["alert_id"] == alert_id
    ]
    assert versions == [1, 2]


def test_resolving_beside_detection_never_opens_a_second_alert_in_the_cooldown(
    portfolio: Portfolio, database_url: DatabaseUrl
) -> None:
    fill(portfolio, rates=[0.2] * 7)
    portfolio.detect(AS_OF)
    alerts = portfolio.rows("alert")
    assert [alert["level"] for alert in alerts] == ["warning"] * 7
    # The next day's run finds a higher band, which ends a user's resolution.
    for number in range(7):
        portfolio.decide(AS_OF, denied=300, payer=f"P{number}", group=f"G{number}")

    with open_connections(database_url, 15) as databases:
        results = do_together(
            databases,
            [moving("resolve", portfolio.customer_id, alert["id"]) for alert in alerts]
            + [detecting(portfolio.customer_id, AS_OF + timedelta(1))] * 8,
        )

    assert count_errors(results) == {}
    assert [alert["id"] for alert in portfolio.rows("alert")] == [alert["id"] for alert in alerts]
    # Whichever came first: reopened after it was resolved, or resolved after it had escalated.
    histories = {
        alert["id"]: [
            row["kind"]
            for row in portfolio.rows("alert_transition")
            if row["alert_id"] == alert["id"]
        ]
        for alert in alerts
    }
    assert all(
        kinds in (["opened", "resolved", "reopened"], ["opened", "escalated", "resolved"])
        for kinds in histories.values()
    )


def test_events_written_around_detect_open_one_alert(
    filled: Portfolio, database_url: DatabaseUrl
) -> None:
    """The trigger takes the lock, whoever writes events: a backfill by the owner, say."""
    filled.detect(AS_OF)
    template = filled.rows("drift_event")[-1]
    columns = [column for column in template if column not in ("id", "created_at")]
    values = [column.replace("current_end", "current_end + %s") for column in columns]
    insert = (
        f"INSERT INTO drift_event ({', '.join(columns)})"
        f" SELECT {', '.join(values)} FROM drift_event WHERE id = %s"
    )

    def inserting(days: int) -> Work:
        return lambda database: database.execute(insert, days, template["id"])

    with open_connections(database_url, 8, "claimdrift_migrator") as databases:
        results = do_together(databases, [inserting(days) for days in range(1, 9)])

    assert count_errors(results) == {}
    [alert] = [
        row for row in filled.rows("alert") if row["cpt_group_id"] == template["cpt_group_id"]
    ]
    assert alert["last_seen_as_of"] == AS_OF + timedelta(8)


def test_sixteen_at_once_queue_one_job(filled: Portfolio, database_url: DatabaseUrl) -> None:
    with open_connections(database_url, 16) as databases:
        results = do_together(
            databases,
            [lambda d: d.value("SELECT drift.queue_detection(%s)", filled.customer_id)] * 16,
        )

    assert count_errors(results) == {}
    assert len([job_id for job_id in results if job_id is not None]) == 1
