"""`maintenance.prune`: what is old and needed by nothing goes, in batches, beside detection."""

from datetime import date, timedelta

import psycopg2
import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)
NOTHING = {
    "drift_measurement": 0,
    "procrastinate_events": 0,
    "procrastinate_jobs": 0,
    "api_token": 0,
    "login_throttle": 0,
    "webhook_secret": 0,
    "webhook_attempt": 0,
    "webhook_delivery": 0,
    "webhook_event": 0,
}


def prune(database: Database, keep: str = "400 days", batch: int = 50_000) -> dict[str, int]:
    return dict(database.execute("SELECT * FROM maintenance.prune(%s::interval, %s)", keep, batch))


def prune_all(database: Database) -> None:
    while any(prune(database).values()):
        pass


def make_old(portfolio: Portfolio, run_id: int, days: int = 401) -> None:
    portfolio.owner.execute(
        "UPDATE drift_run SET started_at = now() - make_interval(days => %s) WHERE id = %s",
        days,
        run_id,
    )


@pytest.fixture
def history(portfolio: Portfolio, worker: Database) -> tuple[Portfolio, list[int]]:
    """Runs of three days, of which the first day's is old. Nothing else is.

    Each measures two metrics of two groups, their payer as a whole, and whether it is silent.
    """
    prune_all(worker)
    portfolio.decide_period(AS_OF - timedelta(300), AS_OF - timedelta(14), per_day=10, rate=0.1)
    portfolio.decide_period(AS_OF - timedelta(14), AS_OF, per_day=20, rate=0.5)
    portfolio.decide_period(AS_OF - timedelta(300), AS_OF, per_day=5, rate=0.2, group="99214")
    runs = [portfolio.detect(AS_OF + timedelta(days)) for days in range(3)]
    make_old(portfolio, runs[0])
    return portfolio, runs


def measured_runs(portfolio: Portfolio) -> set[int]:
    return {row["run_id"] for row in portfolio.rows("drift_measurement")}


def test_old_measurements_go_and_all_else_stays(
    history: tuple[Portfolio, list[int]], worker: Database
) -> None:
    portfolio, runs = history
    kept = ("drift_run", "drift_event", "alert", "alert_transition", "audit_entry", "claim")
    before = {table: portfolio.rows(table) for table in kept}

    assert prune(worker) == NOTHING | {"drift_measurement": 6}
    assert measured_runs(portfolio) == set(runs[1:])
    assert {table: portfolio.rows(table) for table in kept} == before
    assert prune(worker) == NOTHING
    assert not [
        row
        for row in worker.dicts("SELECT * FROM maintenance.verify()")
        if row["customer_id"] == portfolio.customer_id
    ]


def test_a_call_deletes_no_more_than_the_batch(
    history: tuple[Portfolio, list[int]], worker: Database
) -> None:
    calls = [prune(worker, batch=4)["drift_measurement"] for _ in range(3)]

    assert calls == [4, 2, 0]


def test_the_newest_applied_day_stays_however_old(
    history: tuple[Portfolio, list[int]], worker: Database
) -> None:
    portfolio, runs = history
    for run_id in runs:
        make_old(portfolio, run_id, days=10_000)

    prune_all(worker)

    assert measured_runs(portfolio) == {runs[2]}


def test_a_day_that_was_measured_again_counts_from_then(
    history: tuple[Portfolio, list[int]], worker: Database
) -> None:
    portfolio, runs = history
    portfolio.detect(AS_OF)

    assert prune(worker) == NOTHING
    assert measured_runs(portfolio) == set(runs)


def test_a_pruned_day_can_be_measured_again(
    history: tuple[Portfolio, list[int]], worker: Database
) -> None:
    portfolio, runs = history
    prune_all(worker)

    portfolio.detect(AS_OF)

    assert measured_runs(portfolio) == set(runs)


def test_rows_that_detection_works_on_are_skipped(
    history: tuple[Portfolio, list[int]], worker: Database, connect: Connect
) -> None:
    portfolio, runs = history
    detection = connect("claimdrift_migrator")
    detection.autocommit = False
    with detection.cursor() as cursor:
        cursor.execute("SELECT drift.lock_customer(%s)", [portfolio.customer_id])
        cursor.execute(
            "SELECT FROM drift_measurement WHERE id ="
            " (SELECT min(id) FROM drift_measurement WHERE run_id = %s) FOR UPDATE",
            [runs[0]],
        )

        # It neither waits for that row nor for the customer's lock.
        worker.execute("SET lock_timeout = '1ms'")
        assert prune(worker) == NOTHING | {"drift_measurement": 5}
        worker.execute("RESET lock_timeout")
    detection.rollback()
    assert prune(worker) == NOTHING | {"drift_measurement": 1}


def test_detection_of_a_day_that_is_being_pruned_waits_and_then_measures_it(
    history: tuple[Portfolio, list[int]], worker: Database, connect: Connect
) -> None:
    portfolio, runs = history
    pruning = connect()
    pruning.autocommit = False
    assert prune(Database(pruning)) == NOTHING | {"drift_measurement": 6}

    worker.execute("SET lock_timeout = '1ms'")
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        portfolio.detect(AS_OF)
    # Days that aren't old don't wait.
    portfolio.detect(AS_OF + timedelta(2))
    worker.execute("RESET lock_timeout")
    pruning.commit()
    portfolio.detect(AS_OF)

    assert measured_runs(portfolio) == set(runs)


def test_finished_jobs_and_their_events_go_when_old(owner: Database, worker: Database) -> None:
    prune_all(worker)
    owner.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'test.prune'")
    for status in ("todo", "doing", "succeeded", "failed", "cancelled", "aborted"):
        for days in (1, 401):
            job_id = owner.value(
                "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'test.prune')"
                " RETURNING id"
            )
            for step in ("doing", status):
                owner.execute(
                    "UPDATE procrastinate_jobs SET status = %s WHERE id = %s", step, job_id
                )
            owner.execute(
                "UPDATE procrastinate_events SET at = now() - make_interval(days => %s)"
                " WHERE job_id = %s",
                days,
                job_id,
            )

    calls = []
    while (call := prune(worker, batch=3)) != NOTHING:
        calls.append(call)

    assert max(max(call.values()) for call in calls) <= 3
    assert sum(call["procrastinate_jobs"] for call in calls) == 4
    assert owner.execute(
        "SELECT status::text, count(*) FROM procrastinate_jobs WHERE task_name = 'test.prune'"
        " GROUP BY status ORDER BY status::text"
    ) == [
        ("aborted", 1),
        ("cancelled", 1),
        ("doing", 2),
        ("failed", 1),
        ("succeeded", 1),
        ("todo", 2),
    ]
    owner.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'test.prune'")


@pytest.mark.parametrize(
    ("keep", "batch"),
    [("-1 day", 10), (None, 10), ("-infinity", 10), ("1 day", 0), ("1 day", -5), ("1 day", None)],
)
def test_nonsense_is_refused(worker: Database, keep: str | None, batch: int | None) -> None:
    with pytest.raises(psycopg2.Error) as error:
        worker.execute("SELECT * FROM maintenance.prune(%s::interval, %s)", keep, batch)

    assert error.value.pgcode == "PD030"
    assert error.value.diag.message_hint


def test_a_tenant_may_not(connect: Connect) -> None:
    tenant = Database(connect("claimdrift_web"))
    tenant.execute("SET ROLE claimdrift_tenant")

    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        tenant.execute("SELECT maintenance.prune()")
