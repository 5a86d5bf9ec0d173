"""`drift.detect`: what a run is, what it refuses, and which day it is for."""

import re
from datetime import date, timedelta
from typing import Any

import psycopg2.errors
import pytest

from tests.alerts.stories import CRITICAL, DAY, INFO, NORMAL, SHIFT, tell, week
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused


def newest_as_of(portfolio: Portfolio) -> date | None:
    day: date | None = portfolio.worker.value(
        "SELECT drift.newest_as_of(p_customer_id => %s)", portfolio.customer_id
    )
    return day


def test_a_run_says_what_it_did(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, CRITICAL), payer="Cigna")
    portfolio.decide(DAY - timedelta(1), paid=29, payer="Too small")

    run_id = portfolio.detect(DAY, trigger="nightly")

    [run] = portfolio.rows("drift_run")
    assert (run["id"], run["as_of"], run["trigger"]) == (run_id, DAY, "nightly")
    assert (run["status"], run["applied"], run["is_look"]) == ("completed", True, True)
    assert (run["groups_measured"], run["groups_insufficient"], run["events_found"]) == (6, 2, 2)
    assert run["finished_at"] >= run["started_at"]
    assert run["parameters"]["min_volume"] == 30
    assert run["parameters"]["history_days"] == 300
    assert run["parameters"]["baseline_start"] == str(DAY - timedelta(238))
    assert run["parameters"]["baseline_end"] == str(DAY - timedelta(57))
    assert not {"id", "customer_id"} & set(run["parameters"])


def test_what_it_finds_is_what_it_measures(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, 0.0), payer="Cigna")
    expected = portfolio.measure(DAY)

    portfolio.detect(DAY)

    rows = portfolio.rows("drift_measurement", "payer_id, cpt_group_id, metric")
    assert [{name: row[name] for name in expected[0]} for row in rows] == expected
    events = portfolio.rows("drift_event", "payer_id")
    drifted = [row for row in expected if row["drifted"]]
    assert [event["direction"] for event in events] == ["up", "down"]
    shared = set(events[0]) & set(expected[0])
    assert [{name: row[name] for name in shared} for row in events] == [
        {name: row[name] for name in shared} for row in drifted
    ]


def test_a_customer_without_claims_is_measured_too(portfolio: Portfolio) -> None:
    portfolio.detect(DAY)

    [run] = portfolio.rows("drift_run")
    assert (run["status"], run["groups_measured"], run["applied"]) == ("completed", 0, False)
    assert run["parameters"]["history_days"] is None


def test_too_short_a_history_is_insufficient(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(69), SHIFT, per_day=20, rate=NORMAL)
    portfolio.decide_period(SHIFT, week(1), per_day=20, rate=CRITICAL)

    portfolio.detect(DAY)
    assert {row["sufficient"] for row in portfolio.rows("drift_measurement")} == {False}
    assert portfolio.rows("drift_event") == []
    portfolio.detect(DAY + timedelta(1))

    assert portfolio.kinds() == ["opened"]


@pytest.mark.parametrize(
    ("zone", "hours"), [("Pacific/Kiritimati", 14), ("Pacific/Pago_Pago", -11)]
)
def test_with_no_day_given_it_is_today_where_the_customer_is(
    owner: Database, worker: Database, zone: str, hours: int
) -> None:
    portfolio = Portfolio(owner, worker, time_zone=zone)
    today = "SELECT ((clock_timestamp() AT TIME ZONE 'UTC') + make_interval(hours => %s))::date"

    before = worker.value(today, hours)
    worker.execute("SELECT drift.detect(p_customer_id => %s)", portfolio.customer_id)
    after = worker.value(today, hours)

    [run] = portfolio.rows("drift_run")
    assert before <= run["as_of"] <= after
    assert run["trigger"] == "manual"


def test_the_day_itself_is_not_in_its_window(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, NORMAL))
    portfolio.decide(DAY, denied=500)

    portfolio.detect(DAY)
    assert portfolio.rows("drift_event") == []
    portfolio.detect(DAY + timedelta(1))

    assert portfolio.kinds() == ["opened"]


def test_an_older_day_is_measured_and_nothing_else(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), CRITICAL), (week(11), NORMAL))
    portfolio.detect_weekly(week(10), week(11))
    before = portfolio.snapshot()
    assert before["drift_event"] == []

    portfolio.detect(DAY)

    after = portfolio.snapshot()
    measurements = after.pop("drift_measurement")
    old = before.pop("drift_measurement")
    assert after == before
    assert measurements[: len(old)] == old
    assert [row["metric"] for row in measurements[len(old) :] if row["drifted"]] == ["DENIAL_RATE"]
    run = portfolio.rows("drift_run")[-1]
    assert (run["as_of"], run["applied"], run["events_found"]) == (DAY, False, 0)
    assert newest_as_of(portfolio) == week(11)


def test_an_older_day_is_measured_as_of_that_day(portfolio: Portfolio) -> None:
    tell(portfolio, (week(9), CRITICAL), (week(30), NORMAL), (week(31), CRITICAL))
    days = [week(number) for number in range(0, 32)]
    for day in days:
        portfolio.detect(day)
    assert set(portfolio.kinds()) == {"opened", "cleared"}
    before = portfolio.snapshot()

    for day in days:
        portfolio.detect(day)

    assert portfolio.snapshot() == before


def test_a_date_far_ahead_does_not_hold_later_runs_back(portfolio: Portfolio) -> None:
    tell(portfolio, (week(3), CRITICAL))
    portfolio.detect(date(2062, 6, 1))
    assert newest_as_of(portfolio) is None

    portfolio.detect(DAY)
    portfolio.detect(date(2062, 6, 1))
    portfolio.detect(week(1))

    assert newest_as_of(portfolio) == week(1)
    assert portfolio.alert()["occurrences"] == 2


def test_a_day_whose_claims_are_gone_withdraws_its_events(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    portfolio.detect(DAY)
    portfolio.owner.execute(
        "DELETE FROM claim WHERE customer_id = %s AND first_decided_date >= %s",
        portfolio.customer_id,
        DAY - timedelta(56),
    )

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    assert event["withdrawn"] is True
    assert portfolio.rows("drift_run")[-1]["groups_measured"] == 0


def test_settings_that_changed_apply_at_the_next_run(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, INFO))
    portfolio.settings(min_rate_delta=0.5, min_rate_relative=3)
    portfolio.detect(DAY)
    assert portfolio.rows("drift_event") == []
    portfolio.settings(method="threshold", min_rate_delta=0.05)

    portfolio.detect(DAY)

    [event] = portfolio.rows("drift_event")
    assert event["p_value"] is event["q_value"] is event["ci_low"] is event["z"] is None
    assert event["confidence"] == 1
    assert [row["parameters"]["method"] for row in portfolio.rows("drift_run")] == [
        "significance",
        "threshold",
    ]


def test_customers_do_not_see_each_others_claims(portfolio: Portfolio, make_portfolio: Any) -> None:
    other = make_portfolio()
    tell(portfolio, (DAY, NORMAL))
    tell(other, (DAY, CRITICAL))

    portfolio.detect(DAY)
    other.detect(DAY)

    assert (portfolio.rows("drift_event"), len(other.rows("drift_event"))) == ([], 1)


# Refusals


def test_an_unknown_customer_is_refused(worker: Database) -> None:
    for customer_id in (-1, 0, None):
        with refused("PD004"):
            worker.execute("SELECT drift.detect(p_customer_id => %s)", customer_id)


def test_a_suspended_customer_is_refused(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    portfolio.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
    )

    with refused("PD005", "active"):
        portfolio.detect(DAY)

    assert portfolio.rows("drift_run") == []


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_other_isolation_levels_are_refused(
    portfolio: Portfolio, connect: Connect, level: str
) -> None:
    connection = connect()
    connection.set_session(isolation_level=level, autocommit=False)

    with refused("PD001", "READ COMMITTED"):
        Database(connection).execute(
            "SELECT drift.detect(p_customer_id => %s)", portfolio.customer_id
        )
    connection.rollback()


@pytest.mark.parametrize("trigger", ["", "Nightly", "a b", "1st", "x;y", "-", "x\n", None])
def test_a_trigger_that_is_no_plain_word_is_refused(
    portfolio: Portfolio, trigger: str | None
) -> None:
    with pytest.raises(psycopg2.errors.IntegrityError):
        portfolio.detect(DAY, trigger=trigger)  # type: ignore[arg-type]
    assert portfolio.rows("drift_run") == []


def test_a_trigger_that_is_too_long_is_refused(portfolio: Portfolio) -> None:
    with pytest.raises(psycopg2.errors.StringDataRightTruncation):
        portfolio.detect(DAY, trigger="x" * 41)


def test_an_infinite_day_is_refused(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, NORMAL))
    for day in ("infinity", "-infinity"):
        with pytest.raises(psycopg2.errors.DatetimeFieldOverflow):
            portfolio.worker.execute(
                "SELECT drift.detect(p_customer_id => %s, p_as_of => %s)",
                portfolio.customer_id,
                day,
            )


def test_a_failed_run_leaves_nothing(portfolio: Portfolio, connect: Connect) -> None:
    tell(portfolio, (DAY, CRITICAL))
    connection = connect()
    connection.autocommit = False
    database = Database(connection)
    database.execute(
        "SELECT drift.detect(p_customer_id => %s, p_as_of => %s)", portfolio.customer_id, DAY
    )
    connection.rollback()

    assert portfolio.rows("drift_run") == []
    assert not any(portfolio.snapshot().values())


def test_its_comment_names_its_refusals(worker: Database) -> None:
    comment = worker.value(
        "SELECT obj_description('drift.detect(bigint, date, text)'::regprocedure)"
    )
    assert re.search(r"PD001 to PD005", comment)
