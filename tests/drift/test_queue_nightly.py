"""`drift.queue_nightly`: each customer's day has one run, asked for in its night."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from core import functions, tasks
from tests.acceptance.together import Background, DatabaseUrl, do_together, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.drift.requested import carry_out, request
from tests.portfolio import Portfolio
from tests.refusal import refused

QUEUE = "SELECT drift.queue_nightly()"


@pytest.fixture
def make(owner: Database, worker: Database) -> Iterator[Callable[[int], Portfolio]]:
    """`make(hour)`: a customer whose clocks show that hour now, for as long as the test lasts."""
    made: list[Portfolio] = []

    def make(hour: int) -> Portfolio:
        offset = worker.value(
            "SELECT (%s - extract(HOUR FROM now() AT TIME ZONE 'UTC')::int + 36) %% 24 - 12", hour
        )
        # The signs of these zones are the other way round.
        zone = "Etc/GMT" if offset == 0 else f"Etc/GMT{-offset:+d}"
        made.append(Portfolio(owner, worker, time_zone=zone))
        return made[-1]

    yield make
    for portfolio in made:
        worker.execute(
            "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
        )


# An hour from both ends, whatever the minute.
NIGHT, DAY = 4, 12


def nightly(portfolio: Portfolio) -> list[dict[str, Any]]:
    return [run for run in portfolio.rows("drift_run") if run["trigger"] == "nightly"]


def today(portfolio: Portfolio) -> date:
    found: date = portfolio.owner.value(
        "SELECT tenancy.local_date(%s, now())", portfolio.customer_id
    )
    return found


def jobs(portfolio: Portfolio) -> list[dict[str, Any]]:
    return [
        row["args"]
        for row in portfolio.owner.dicts(
            "SELECT args FROM procrastinate_jobs WHERE task_name = 'core.tasks.run_requested'"
            " AND status = 'todo' AND args ->> 'customer_id' = %s",
            str(portfolio.customer_id),
        )
    ]


def test_where_it_is_night_a_run_waits(make: Callable[[int], Portfolio]) -> None:
    at_night, by_day = make(NIGHT), make(DAY)

    assert functions.drift_queue_nightly() >= 1

    [run] = nightly(at_night)
    assert (run["status"], run["as_of"]) == ("queued", today(at_night))
    assert jobs(at_night) == [{"customer_id": at_night.customer_id, "run_id": run["id"]}]
    assert by_day.rows("drift_run") == jobs(by_day) == []


def test_the_number_is_that_of_the_runs(make: Callable[[int], Portfolio], worker: Database) -> None:
    worker.execute(QUEUE)
    for _ in range(3):
        make(NIGHT)

    assert [worker.value(QUEUE), worker.value(QUEUE)] == [3, 0]


@pytest.mark.parametrize("ended", [None, "completed", "failed"])
def test_a_day_has_one_whatever_became_of_it(
    make: Callable[[int], Portfolio], ended: str | None
) -> None:
    portfolio = make(NIGHT)
    functions.drift_queue_nightly()
    [run] = nightly(portfolio)
    if ended == "completed":
        carry_out(portfolio, run["id"])
    elif ended == "failed":
        functions.drift_fail_run(
            customer_id=portfolio.customer_id, run_id=run["id"], error="Enough."
        )

    functions.drift_queue_nightly()

    [after] = nightly(portfolio)
    assert (after["id"], after["status"]) == (run["id"], ended or "queued")


def test_yesterdays_is_another(make: Callable[[int], Portfolio], owner: Database) -> None:
    portfolio = make(NIGHT)
    functions.drift_queue_nightly()
    owner.execute(
        "UPDATE drift_run SET as_of = as_of - 1 WHERE customer_id = %s", portfolio.customer_id
    )

    functions.drift_queue_nightly()

    assert [run["as_of"] for run in nightly(portfolio)][1:] == [today(portfolio)]


def test_runs_of_the_day_that_others_asked_for_do_not_replace_it(
    make: Callable[[int], Portfolio],
) -> None:
    portfolio = make(NIGHT)
    portfolio.detect(today(portfolio))
    waiting = request(portfolio, today(portfolio))

    # Two can't wait for the same day: its time comes when the other has started.
    functions.drift_queue_nightly()
    assert nightly(portfolio) == []
    carry_out(portfolio, waiting)
    functions.drift_queue_nightly()

    assert len(nightly(portfolio)) == 1


def test_a_suspended_customer_has_none(make: Callable[[int], Portfolio], worker: Database) -> None:
    portfolio = make(NIGHT)
    worker.execute("UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id)

    functions.drift_queue_nightly()

    assert portfolio.rows("drift_run") == []


def test_many_workers_at_once_queue_it_once(
    make: Callable[[int], Portfolio], worker: Database, database_url: DatabaseUrl
) -> None:
    worker.execute(QUEUE)
    portfolios = [make(NIGHT) for _ in range(10)]
    with open_connections(database_url, 8) as databases:
        queued = do_together(databases, [lambda d: d.value(QUEUE)] * 8)

    assert sorted(queued) == [0] * 7 + [10]
    assert [len(nightly(portfolio)) for portfolio in portfolios] == [1] * 10


def test_a_run_that_is_over_before_another_worker_looks_is_not_repeated(
    make: Callable[[int], Portfolio], worker: Database, database_url: DatabaseUrl
) -> None:
    portfolio = make(NIGHT)
    with open_connections(database_url, 2) as [first, second]:
        first.execute("BEGIN")
        first.execute(QUEUE)
        [[run_id]] = first.execute(
            "SELECT id FROM drift_run WHERE customer_id = %s", portfolio.customer_id
        )
        waiting = Background(second, lambda d: d.value(QUEUE))
        waiting.wait_until_blocked(worker)
        # It conflicts with nothing that waits any more.
        first.execute("SELECT drift.run_requested(%s, %s)", portfolio.customer_id, run_id)
        first.execute("COMMIT")
        waiting.join()

    assert [run["status"] for run in nightly(portfolio)] == ["completed"]


def test_the_schedule_asks_for_it(make: Callable[[int], Portfolio]) -> None:
    portfolio = make(NIGHT)

    tasks.queue_nightly(timestamp=0)

    assert len(nightly(portfolio)) == 1


def test_another_isolation_level_is_refused(connect: Connect) -> None:
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    with refused("PD001"):
        database.execute(QUEUE)


def test_it_is_the_workers(portfolio: Portfolio, connect: Connect) -> None:
    web = Database(connect("claimdrift_web"))
    web.execute("SET ROLE claimdrift_tenant")
    with refused("42501"):
        web.execute(QUEUE)
