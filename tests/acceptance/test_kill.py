"""A session killed at any write of detection leaves nothing behind, and a rerun completes."""

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg2
import pytest

from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)
DETECT = "SELECT drift.detect(p_customer_id => %s, p_as_of => %s)"
TABLES = ("drift_run", "drift_measurement", "drift_event", "alert", "alert_transition")
KEY = 77

# Counts the rows a session writes and, before the one that it was told, waits for a lock: the test
# holds it, and kills the session while it waits.
STOP = f"""
    CREATE FUNCTION public.stop_at_write() RETURNS trigger LANGUAGE plpgsql AS $f$
    DECLARE
        v_at CONSTANT int := nullif(current_setting('test.stop_at', true), '')::int;
        v_number int;
    BEGIN
        IF v_at IS NOT NULL THEN
            v_number := coalesce(nullif(current_setting('test.written', true), ''), '0')::int + 1;
            PERFORM set_config('test.written', v_number::text, true);
            IF v_number = v_at THEN
                RAISE NOTICE '% %', TG_OP, TG_TABLE_NAME;
                PERFORM pg_advisory_xact_lock({KEY});
            END IF;
        END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END $f$;
"""


@pytest.fixture(scope="module", autouse=True)
def stops(owner: Database) -> Iterator[None]:
    owner.execute(STOP)
    for table in TABLES:
        owner.execute(
            f"CREATE TRIGGER stop_at_write BEFORE INSERT OR UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION public.stop_at_write()"
        )
    yield
    owner.execute("DROP FUNCTION public.stop_at_write() CASCADE")


@pytest.fixture(scope="module")
def superuser(connect: Connect) -> Iterator[Database]:
    database = Database(connect("postgres"))
    database.execute(f"SELECT pg_advisory_lock({KEY})")
    yield database
    database.execute(f"SELECT pg_advisory_unlock({KEY})")


def kill(superuser: Database, pid: int) -> None:
    """Terminate a session and return once it's gone, with all that it held."""
    assert superuser.value("SELECT pg_terminate_backend(%s, 30000)", pid)


def kill_at_every_write(
    portfolio: Portfolio, as_of: date, database_url: DatabaseUrl, superuser: Database
) -> set[str]:
    """Detect again and again, killed before its first, second... row; what it was about to do."""
    before = {table: portfolio.rows(table) for table in TABLES}
    stopped: set[str] = set()
    for number in itertools.count(1):
        with open_connections(database_url, 1) as [database]:
            pid = database.connection.info.backend_pid
            database.execute("SELECT set_config('test.stop_at', %s, false)", str(number))
            detection = Background(
                database, lambda d: d.value(DETECT, portfolio.customer_id, as_of)
            )
            if not detection.blocks(superuser):
                detection.join()
                return stopped
            kill(superuser, pid)
            with pytest.raises(psycopg2.OperationalError):
                detection.join()
            # On a busy machine the notice can be lost with its session.
            for notice in database.connection.notices:
                stopped.add(notice.removeprefix("NOTICE:").strip())
        assert {table: portfolio.rows(table) for table in TABLES} == before
    return stopped


def result_of(portfolio: Portfolio) -> dict[str, list[Any]]:
    own = {"id", "customer_id", "run_id", "measurement_run_id", "payer_id", "cpt_group_id"}
    own |= {"rule_id", "alert_id", "frozen_alert_id", "previous_alert_id"}
    times = {"created_at", "opened_at", "updated_at", "at", "started_at", "finished_at"}
    times |= {"requested_at"}
    return {
        table: [
            {key: value for key, value in row.items() if key not in own | times}
            for row in portfolio.rows(table)
        ]
        for table in TABLES
    }


def days_of_a_life(portfolio: Portfolio) -> Iterator[date]:
    """Days on which detection does everything that it can do; claims for one appear before it."""

    def decide(start: int, end: int, rate: float) -> None:
        portfolio.decide_period(
            AS_OF + timedelta(start), AS_OF + timedelta(end), per_day=20, rate=rate
        )

    decide(-300, -14, 0.1)
    decide(-14, 0, 0.2)
    # Insufficient: measured and recorded as such, and gone once its claims are.
    portfolio.decide(AS_OF - timedelta(1), paid=1, group="99215")
    yield AS_OF  # opened
    decide(0, 7, 0.6)
    yield AS_OF + timedelta(7)  # escalated
    portfolio.owner.execute(
        "DELETE FROM claim WHERE customer_id = %s AND cpt_group_id = %s",
        portfolio.customer_id,
        portfolio.group("99215"),
    )
    portfolio.decide(AS_OF + timedelta(6), paid=5000)
    yield AS_OF + timedelta(7)  # the same day: measurements deleted, the event withdrawn
    decide(7, 70, 0.1)
    yield AS_OF + timedelta(70)  # cleared
    decide(70, 77, 0.9)
    yield AS_OF + timedelta(77)  # reopened
    yield AS_OF + timedelta(70)  # an older day: measured only


def test_killed_at_every_write_of_every_day_it_ends_like_one_that_never_was(
    owner: Database, worker: Database, database_url: DatabaseUrl, superuser: Database
) -> None:
    killed, spared = Portfolio(owner, worker), Portfolio(owner, worker)
    stopped: set[str] = set()
    for as_of, _ in zip(days_of_a_life(killed), days_of_a_life(spared), strict=True):
        stopped |= kill_at_every_write(killed, as_of, database_url, superuser)
        spared.detect(as_of)

    assert killed.kinds() == ["opened", "escalated", "cleared", "reopened"]
    assert result_of(killed) == result_of(spared)
    assert [
        row
        for row in worker.dicts("SELECT * FROM maintenance.verify()")
        if row["customer_id"] == killed.customer_id
    ] == []
    assert stopped == {
        "INSERT drift_run",
        "UPDATE drift_run",
        "INSERT drift_measurement",
        "UPDATE drift_measurement",
        "DELETE drift_measurement",
        "INSERT drift_event",
        "UPDATE drift_event",
        "INSERT alert",
        "UPDATE alert",
        "INSERT alert_transition",
    }


def test_killed_after_its_last_write_it_leaves_nothing_either(
    portfolio: Portfolio, database_url: DatabaseUrl, superuser: Database
) -> None:
    as_of = next(days_of_a_life(portfolio))
    with open_connections(database_url, 1) as [database]:
        database.execute("BEGIN")
        database.execute(DETECT, portfolio.customer_id, as_of)
        kill(superuser, database.connection.info.backend_pid)

        with pytest.raises(psycopg2.OperationalError):
            database.execute("COMMIT")

    assert all(portfolio.rows(table) == [] for table in TABLES)
    portfolio.detect(as_of)
    assert portfolio.kinds() == ["opened"]


def test_killed_while_it_waits_for_the_lock_it_leaves_the_holder_alone(
    portfolio: Portfolio, worker: Database, database_url: DatabaseUrl, superuser: Database
) -> None:
    as_of = next(days_of_a_life(portfolio))
    worker.execute("BEGIN")
    worker.execute(DETECT, portfolio.customer_id, as_of)
    with open_connections(database_url, 1) as [database]:
        detection = Background(database, lambda d: d.value(DETECT, portfolio.customer_id, as_of))
        detection.wait_until_blocked(superuser)
        kill(superuser, database.connection.info.backend_pid)
        with pytest.raises(psycopg2.OperationalError):
            detection.join()
    worker.execute("COMMIT")

    assert len(portfolio.rows("drift_run")) == 1
    assert portfolio.kinds() == ["opened"]


@pytest.mark.parametrize("move", ["acknowledge", "resolve"])
def test_a_users_move_is_killed_as_a_whole(
    portfolio: Portfolio, database_url: DatabaseUrl, superuser: Database, move: str
) -> None:
    portfolio.detect(next(days_of_a_life(portfolio)))
    alert_id = portfolio.alert()["id"]
    before = {table: portfolio.rows(table) for table in TABLES}
    call = f"SELECT alerts.{move}(%s, %s, NULL)"
    # Before the alert is written, and before its transition is.
    for number in (1, 2):
        with open_connections(database_url, 1) as [database]:
            database.execute("SELECT set_config('test.stop_at', %s, false)", str(number))
            moving = Background(database, lambda d: d.value(call, portfolio.customer_id, alert_id))
            moving.wait_until_blocked(superuser)
            kill(superuser, database.connection.info.backend_pid)
            with pytest.raises(psycopg2.OperationalError):
                moving.join()
        assert {table: portfolio.rows(table) for table in TABLES} == before
