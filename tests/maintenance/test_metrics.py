"""`maintenance.metrics`: counts over all customers, without reading their claims."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg2.errors
import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

CALL = "SELECT name, labels, value FROM maintenance.metrics()"
QUEUE = "maintenance-metrics"


@pytest.fixture
def web(connect: Connect) -> Database:
    return Database(connect("claimdrift_web"))


@pytest.fixture
def own_queue(owner: Database) -> Iterator[Database]:
    """The owner, who fills a queue that is emptied again."""
    yield owner
    owner.execute("DELETE FROM procrastinate_jobs WHERE queue_name = %s", QUEUE)


def metrics(database: Database, name: str) -> dict[str, float]:
    """Values by labels, written `a b`."""
    return {
        " ".join(str(value) for _, value in sorted(labels.items())): value
        for found, labels, value in database.execute(CALL)
        if found == name
    }


def difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {
        key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)
    }


def add_run(owner: Database, portfolio: Portfolio, **columns: Any) -> None:
    columns = {"customer_id": portfolio.customer_id, "as_of": date(2026, 6, 1), **columns}
    owner.execute(
        f"INSERT INTO drift_run ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
        *columns.values(),
    )


def test_runs_of_the_last_day_by_status(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    before = metrics(web, "drift_runs")
    assert set(before) == {"queued", "running", "completed", "failed"}
    for status in ("queued", "failed", "failed"):
        add_run(owner, portfolio, status=status)
    add_run(owner, portfolio, status="failed", requested_at="2026-01-01")

    assert difference(metrics(web, "drift_runs"), before) == {"queued": 1, "failed": 2}


def test_the_age_is_that_of_the_active_customer_who_waits_longest(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    def age() -> float:
        [value] = metrics(web, "drift_run_age_hours").values()
        return value

    def run(status: str, as_of: date, hours: int) -> None:
        add_run(owner, portfolio, status=status, as_of=as_of, finished_at=datetime.now(UTC)
                - timedelta(hours=hours))  # fmt: skip

    # Longer ago than anything that other tests have.
    run("completed", date(2026, 6, 1), 900_000)
    assert age() == pytest.approx(900_000, abs=0.1)
    # A failed one is none.
    run("failed", date(2026, 6, 2), 1)
    assert age() == pytest.approx(900_000, abs=0.1)
    run("completed", date(2026, 6, 2), 850_000)
    assert age() == pytest.approx(850_000, abs=0.1)

    owner.execute("UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id)
    assert age() < 850_000 - 1


def test_a_customer_without_a_run_waits_since_it_was_added(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    owner.execute(
        "UPDATE customer SET created_at = now() - interval '500000 hours' WHERE id = %s",
        portfolio.customer_id,
    )

    assert metrics(web, "drift_run_age_hours") == {"": pytest.approx(500_000, abs=0.1)}
    owner.execute("UPDATE customer SET created_at = now() WHERE id = %s", portfolio.customer_id)


def test_live_alerts_by_level(web: Database, portfolio: Portfolio) -> None:
    before = metrics(web, "alerts")
    assert set(before) == {
        f"{level} {status}"
        for level in ("info", "warning", "critical")
        for status in ("open", "acknowledged")
    }
    portfolio.decide_period(date(2025, 10, 1), date(2026, 5, 18), per_day=10, rate=0.1)
    portfolio.decide_period(date(2026, 5, 18), date(2026, 6, 1), per_day=10, rate=0.5)
    portfolio.detect(date(2026, 6, 1))
    level = portfolio.alert()["level"]
    assert difference(metrics(web, "alerts"), before) == {f"{level} open": 1}

    portfolio.acknowledge()
    assert difference(metrics(web, "alerts"), before) == {f"{level} acknowledged": 1}

    portfolio.resolve()
    assert difference(metrics(web, "alerts"), before) == {}


def test_uploads_that_wait(web: Database, owner: Database, portfolio: Portfolio) -> None:
    before = metrics(web, "uploads_waiting")[""]
    owner.execute(
        "UPDATE upload SET status = 'failed' WHERE customer_id = %s", portfolio.customer_id
    )

    assert metrics(web, "uploads_waiting")[""] == before - 1


def test_jobs_by_queue_and_status(web: Database, own_queue: Database) -> None:
    for status in ("todo", "todo", "doing", "failed", "succeeded", "cancelled"):
        own_queue.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " VALUES (%s, 'test', %s::procrastinate_job_status)",
            QUEUE,
            status,
        )

    mine = {key: value for key, value in metrics(web, "jobs").items() if QUEUE in key}
    assert mine == {f"{QUEUE} todo": 2, f"{QUEUE} doing": 1, f"{QUEUE} failed": 1}


def test_the_oldest_job_is_one_that_is_due(web: Database, own_queue: Database) -> None:
    def oldest() -> float:
        return metrics(web, "oldest_job_seconds")[""]

    add = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at)"
        " VALUES (%s, 'test', now() + %s::interval) RETURNING id"
    )
    own_queue.execute(add, QUEUE, "1 day")
    assert oldest() < 1_000_000

    own_queue.execute(add, QUEUE, "-1000000 seconds")
    assert oldest() == pytest.approx(1_000_000, abs=60)

    job_id = own_queue.value(add, QUEUE, None)
    own_queue.execute(
        "UPDATE procrastinate_events SET at = now() - interval '2000000 seconds'"
        " WHERE job_id = (SELECT min(id) FROM procrastinate_jobs"
        " WHERE status = 'todo' AND scheduled_at IS NULL)",
    )
    assert oldest() == pytest.approx(2_000_000, abs=60)
    own_queue.execute("DELETE FROM procrastinate_jobs WHERE id = %s", job_id)
    own_queue.execute(
        "UPDATE procrastinate_events SET at = now() WHERE at < now() - interval '1999999 seconds'"
    )


def test_workers_that_gave_a_sign_of_life(web: Database, owner: Database) -> None:
    before = metrics(web, "workers")[""]
    rows = owner.execute(
        "INSERT INTO procrastinate_workers (last_heartbeat)"
        " VALUES (now()), (now() - interval '1 minute') RETURNING id"
    )

    assert metrics(web, "workers")[""] == before + 1
    owner.execute("DELETE FROM procrastinate_workers WHERE id = ANY(%s)", [i for [i] in rows])


def relations(plan: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan:
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from relations(child)


def test_it_reads_no_claims_and_each_customer_by_index(
    owner: Database, portfolio: Portfolio
) -> None:
    body = owner.value("SELECT prosrc FROM pg_proc WHERE proname = 'metrics'")
    owner.execute("SET enable_seqscan = off")
    [[[explained]]] = owner.execute(f"EXPLAIN (FORMAT JSON) {body}")
    owner.execute("RESET enable_seqscan")
    read = set(relations(explained["Plan"]))
    scans = {
        (node["Relation Name"], node["Node Type"], node.get("Index Name"))
        for node in nodes(explained["Plan"])
        if "Relation Name" in node
    }

    assert read == {
        "alert", "customer", "drift_run", "procrastinate_events", "procrastinate_jobs",
        "procrastinate_workers", "upload", "webhook_delivery", "webhook_endpoint",
    }  # fmt: skip
    sequential = {table for table, kind, _ in scans if kind == "Seq Scan"}
    assert sequential <= {"customer", "webhook_endpoint"}, json.dumps(explained, indent=1)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def test_a_tenant_may_not_ask(web: Database, portfolio: Portfolio) -> None:
    web.execute("BEGIN")
    web.execute("SET LOCAL ROLE claimdrift_tenant")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        web.execute(CALL)
    web.execute("ROLLBACK")
