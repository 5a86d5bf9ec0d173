"""`drift.run_requested`, and its job: a run that was asked for does what `drift.detect` does."""

from datetime import timedelta
from typing import Any

import pytest

from core.attempts import JobFailed
from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.drift.requested import AS_OF, carry_out, drifting, request, statuses
from tests.portfolio import WRITTEN, Portfolio
from tests.refusal import refused

RUN = "SELECT drift.run_requested(%s, %s)"
FAIL = "SELECT drift.fail_run(%s, %s, 'Enough.')"
OWN = {
    "id", "customer_id", "run_id", "measurement_run_id", "payer_id", "cpt_group_id", "rule_id",
    "alert_id", "frozen_alert_id", "requested_by_id",
}  # fmt: skip
TIMES = {
    "created_at", "opened_at", "updated_at", "at", "started_at", "finished_at", "requested_at",
}  # fmt: skip


def result_of(portfolio: Portfolio) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [
            {key: value for key, value in row.items() if key not in OWN | TIMES}
            for row in portfolio.rows(table)
        ]
        for table in ("drift_run", *WRITTEN)
    }


def test_it_ends_like_detect(portfolio: Portfolio, make_portfolio: Any) -> None:
    detected = drifting(make_portfolio())
    detected.detect(AS_OF, trigger="api")

    carry_out(portfolio, request(drifting(portfolio)))

    assert portfolio.alert()["metric"] == "DENIAL_RATE"
    assert result_of(portfolio) == result_of(detected)
    [run] = portfolio.rows("drift_run")
    assert (run["status"], run["applied"], run["is_look"]) == ("completed", True, True)
    assert run["parameters"]["min_volume"] == 30
    assert run["requested_at"] <= run["started_at"] <= run["finished_at"]


def test_it_sees_what_was_there_when_it_started(portfolio: Portfolio) -> None:
    run_id = request(portfolio)
    drifting(portfolio)

    carry_out(portfolio, run_id)

    assert portfolio.kinds() == ["opened"]


def test_a_job_that_runs_twice_has_one_effect(portfolio: Portfolio) -> None:
    run_id = request(drifting(portfolio))
    carry_out(portfolio, run_id)
    before = portfolio.snapshot(("drift_run", *WRITTEN))

    carry_out(portfolio, run_id)
    portfolio.worker.execute(RUN, portfolio.customer_id, run_id)

    assert portfolio.snapshot(("drift_run", *WRITTEN)) == before


def test_a_dead_workers_run_is_carried_out_by_the_next(portfolio: Portfolio) -> None:
    run_id = request(drifting(portfolio))
    portfolio.worker.execute("SELECT drift.start_run(%s, %s)", portfolio.customer_id, run_id)
    assert statuses(portfolio) == ["running"]

    carry_out(portfolio, run_id)

    assert statuses(portfolio) == ["completed"]


def test_without_having_been_started_it_runs_too(portfolio: Portfolio) -> None:
    run_id = request(drifting(portfolio))

    assert portfolio.worker.value(RUN, portfolio.customer_id, run_id) == run_id
    assert statuses(portfolio) == ["completed"]


def test_runs_of_a_day_share_the_measurements_of_the_first_that_completed(
    portfolio: Portfolio,
) -> None:
    failed = request(drifting(portfolio))
    portfolio.worker.execute(FAIL, portfolio.customer_id, failed)
    waiting = request(portfolio)
    first = portfolio.detect(AS_OF)
    carry_out(portfolio, waiting)
    last = portfolio.detect(AS_OF)

    shared = {run["id"]: run["measurement_run_id"] for run in portfolio.rows("drift_run")}
    assert shared == {failed: None, waiting: first, first: None, last: first}
    assert {row["run_id"] for row in portfolio.rows("drift_measurement")} == {first}


def test_runs_that_are_not_completed_move_nothing(portfolio: Portfolio, worker: Database) -> None:
    drifting(portfolio)
    week = AS_OF + timedelta(7)
    failed = request(portfolio, week)
    worker.execute(FAIL, portfolio.customer_id, failed)
    request(portfolio, week)

    portfolio.detect(AS_OF)

    assert worker.value("SELECT drift.newest_as_of(%s)", portfolio.customer_id) == AS_OF
    assert worker.value("SELECT drift.is_look(%s, %s)", portfolio.customer_id, week) is True
    lines = [
        line
        for [line] in worker.execute(
            "SELECT line FROM drift.explain(%s, %s, %s, %s)",
            portfolio.customer_id,
            week,
            portfolio.payer("Aetna"),
            portfolio.group("99213"),
        )
    ]
    assert "measured now, there was no run" in lines[0]
    assert [
        row["check_name"]
        for row in worker.dicts("SELECT * FROM maintenance.verify()")
        if row["customer_id"] == portfolio.customer_id
    ] == []


def test_two_workers_on_one_run_have_one_effect(
    portfolio: Portfolio, worker: Database, database_url: DatabaseUrl
) -> None:
    run_id = request(drifting(portfolio))
    with open_connections(database_url, 2) as [first, second]:
        first.execute("BEGIN")
        first.execute(RUN, portfolio.customer_id, run_id)
        waiting = Background(second, lambda d: d.value(RUN, portfolio.customer_id, run_id))
        waiting.wait_until_blocked(worker)
        first.execute("COMMIT")
        assert waiting.join() == run_id

    assert portfolio.kinds() == ["opened"]
    assert statuses(portfolio) == ["completed"]


def test_one_that_is_failed_while_it_goes_on_leaves_nothing(
    portfolio: Portfolio, connect: Connect
) -> None:
    run_id = request(drifting(portfolio))
    running = Database(connect())
    # It stops before its last write.
    portfolio.owner.execute("BEGIN")
    portfolio.owner.execute(FAIL, portfolio.customer_id, run_id)
    going_on = Background(running, lambda d: d.value(RUN, portfolio.customer_id, run_id))
    going_on.wait_until_blocked(portfolio.worker)
    portfolio.owner.execute("COMMIT")

    with refused("PD015", "drift.request_run"):
        going_on.join()
    assert portfolio.rows("alert") == portfolio.rows("drift_measurement") == []
    assert statuses(portfolio) == ["failed"]


def test_an_error_fails_the_run_and_the_job_and_quotes_nothing(
    portfolio: Portfolio, owner: Database
) -> None:
    run_id = request(drifting(portfolio))
    owner.execute(
        f"ALTER TABLE alert ADD CONSTRAINT nobody CHECK (customer_id <> {portfolio.customer_id})"
        " NOT VALID"
    )
    try:
        with pytest.raises(JobFailed) as failed:
            carry_out(portfolio, run_id)
    finally:
        owner.execute("ALTER TABLE alert DROP CONSTRAINT nobody")

    error = "The database refused it: check violation (23514)."
    assert str(failed.value) == error
    [run] = portfolio.rows("drift_run")
    assert (run["status"], run["error"], run["applied"]) == ("failed", error, False)
    assert run["finished_at"] is not None
    assert portfolio.rows("drift_measurement") == []


def test_a_suspended_customers_run_fails(portfolio: Portfolio, owner: Database) -> None:
    portfolio.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
    )
    # A request whose transaction was still open when the customer was suspended.
    run_id = owner.value(
        "INSERT INTO drift_run (customer_id, as_of, status) VALUES (%s, %s, 'queued') RETURNING id",
        portfolio.customer_id,
        AS_OF,
    )

    with pytest.raises(JobFailed, match="Customer suspended"):
        carry_out(portfolio, run_id)

    [run] = portfolio.rows("drift_run")
    assert (run["status"], run["error"]) == ("failed", "Customer suspended (PD005).")


def test_an_unknown_run_is_refused(
    portfolio: Portfolio, worker: Database, make_portfolio: Any
) -> None:
    for run_id in (2**40, request(make_portfolio())):
        with refused("PD016"):
            worker.execute(RUN, portfolio.customer_id, run_id)


def test_another_isolation_level_is_refused(portfolio: Portfolio, connect: Connect) -> None:
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    with refused("PD001"):
        database.execute(RUN, portfolio.customer_id, 1)


@pytest.mark.parametrize("function", ["run_requested(%s, 1)", "start_run(%s, 1)"])
def test_it_is_the_workers(portfolio: Portfolio, connect: Connect, function: str) -> None:
    web = Database(connect("claimdrift_web"))
    web.execute("SET ROLE claimdrift_tenant")
    with refused("42501"):
        web.execute(f"SELECT drift.{function}", portfolio.customer_id)
