"""`drift.request_run`: one waiting run for a customer and day, and a job for it."""

from datetime import date
from typing import Any

import pytest

from core import functions
from tests.acceptance.together import Background, DatabaseUrl, do_together, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

DAY = date(2026, 6, 1)
REQUEST = "SELECT drift.request_run(p_customer_id => %s, p_as_of => %s)"
START = "SELECT drift.start_run(%s, %s)"
JOBS = """
    SELECT status::text, queueing_lock, queue_name, args FROM procrastinate_jobs
    WHERE task_name = 'core.tasks.run_requested' AND args ->> 'customer_id' = %s ORDER BY id
"""


def request(portfolio: Portfolio, as_of: date | None = DAY) -> int:
    return functions.drift_request_run(customer_id=portfolio.customer_id, as_of=as_of)


def jobs(portfolio: Portfolio) -> list[dict[str, Any]]:
    return portfolio.owner.dicts(JOBS, str(portfolio.customer_id))


def test_a_run_waits_and_a_job_for_it(portfolio: Portfolio) -> None:
    run_id = request(portfolio)

    [run] = portfolio.rows("drift_run")
    assert (run["id"], run["as_of"], run["trigger"], run["status"]) == (
        run_id,
        DAY,
        "api",
        "queued",
    )
    assert (run["applied"], run["measurement_run_id"], run["finished_at"]) == (False, None, None)
    assert run["requested_by_id"] is None
    assert jobs(portfolio) == [
        {
            "status": "todo",
            "queueing_lock": f"run:{run_id}",
            "queue_name": "detection",
            "args": {"customer_id": portfolio.customer_id, "run_id": run_id},
        }
    ]


def test_without_a_day_it_is_today_at_the_customer(owner: Database, worker: Database) -> None:
    # Nowhere is it the same day as in the other for long.
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        portfolio = Portfolio(owner, worker, time_zone=zone)
        today = f"SELECT (now() AT TIME ZONE '{zone}')::date"
        before = worker.value(today)
        request(portfolio, None)

        assert before <= portfolio.rows("drift_run")[0]["as_of"] <= worker.value(today)


def test_asked_for_again_it_is_the_one_that_waits(portfolio: Portfolio) -> None:
    run_id = request(portfolio)
    before = portfolio.rows("drift_run")

    assert request(portfolio) == run_id
    assert portfolio.rows("drift_run") == before
    assert request(portfolio, date(2026, 6, 2)) != run_id
    assert len(jobs(portfolio)) == len(portfolio.rows("drift_run")) == 2


@pytest.mark.parametrize("end", ["start_run(%s, %s)", "fail_run(%s, %s, 'Enough.')"])
def test_one_that_waits_no_more_is_another(portfolio: Portfolio, end: str) -> None:
    run_id = request(portfolio)
    portfolio.worker.execute(f"SELECT drift.{end}", portfolio.customer_id, run_id)

    assert request(portfolio) != run_id


def test_a_waiting_run_whose_job_is_gone_gets_another(portfolio: Portfolio) -> None:
    run_id = request(portfolio)
    portfolio.owner.execute(
        "UPDATE procrastinate_jobs SET status = 'cancelled' WHERE queueing_lock = %s",
        f"run:{run_id}",
    )

    assert request(portfolio) == run_id
    assert [job["status"] for job in jobs(portfolio)] == ["cancelled", "todo"]


def test_many_at_once_get_the_same_run(portfolio: Portfolio, database_url: DatabaseUrl) -> None:
    with open_connections(database_url, 8) as databases:
        found = do_together(databases, [lambda d: d.value(REQUEST, portfolio.customer_id, DAY)] * 8)

    assert set(found) == {portfolio.rows("drift_run")[0]["id"]}
    assert len(jobs(portfolio)) == 1


def test_it_does_not_start_before_everyone_who_asked_has_committed(
    portfolio: Portfolio, worker: Database, database_url: DatabaseUrl
) -> None:
    run_id = request(portfolio)
    with open_connections(database_url, 2) as [asking, working]:
        asking.execute("BEGIN")
        assert asking.value(REQUEST, portfolio.customer_id, DAY) == run_id
        starting = Background(working, lambda d: d.value(START, portfolio.customer_id, run_id))
        starting.wait_until_blocked(worker)
        asking.execute("COMMIT")

        assert starting.join() is True


def test_the_user_at_work_is_named(portfolio: Portfolio, connect: Connect) -> None:
    user_id = portfolio.user()
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id, user_id) as tenant:
        run_id = tenant.value(REQUEST, portfolio.customer_id, DAY)

        assert (
            tenant.value("SELECT requested_by_id FROM drift_run WHERE id = %s", run_id) == user_id
        )


def test_a_suspended_customer_is_refused(portfolio: Portfolio, worker: Database) -> None:
    worker.execute("UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id)

    with refused("PD005"):
        worker.execute(REQUEST, portfolio.customer_id, DAY)


def test_a_tenant_asks_for_itself_only(
    portfolio: Portfolio, connect: Connect, make_portfolio: Any
) -> None:
    web = connect("claimdrift_web")
    other = make_portfolio()
    with as_tenant(web, portfolio.customer_id) as tenant, refused("PD003"):
        tenant.execute(REQUEST, other.customer_id, DAY)
