"""As claimdrift_tenant: the own customer through functions, and nothing else."""

from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from tests.alerts.stories import CRITICAL, DAY, tell, week
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant

TABLES = ("drift_run", "drift_measurement", "drift_event", "alert", "alert_transition")
# For parameters other than p_customer_id, by type.
ARGUMENTS = {
    "bigint": "{alert_id}",
    "bigint[]": "(SELECT array_agg(id) FROM drift_event)",
    "integer": "1",
    "date": "DATE '2026-06-01'",
    "text": "'noise'",
    "boolean": "false",
    "numeric": "1",
    "double precision": "0.5",
}


@pytest.fixture
def drifted(portfolio: Portfolio) -> Portfolio:
    tell(portfolio, (week(1), CRITICAL))
    portfolio.detect(DAY)
    return portfolio


def functions(portfolio: Portfolio) -> list[dict[str, Any]]:
    """What a tenant may call for a customer: name, whether it is DEFINER, types of arguments."""
    return portfolio.worker.dicts(
        """
        SELECT p.oid::regproc::text AS name, p.prosecdef AS definer, p.proargnames AS names,
            ARRAY(
                SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, i)
                ORDER BY i
            ) AS types
        FROM pg_proc AS p
        WHERE p.pronamespace IN ('drift'::regnamespace, 'alerts'::regnamespace)
            AND p.proargnames[1] = 'p_customer_id'
            AND has_function_privilege('claimdrift_tenant', p.oid, 'EXECUTE')
        ORDER BY p.oid::regproc::text
        """
    )


def test_another_customer_is_refused_by_all_functions(
    drifted: Portfolio, make_portfolio: Any, connect: Connect
) -> None:
    web = connect("claimdrift_web")
    own = make_portfolio()
    alert_id = drifted.alert()["id"]
    before = drifted.snapshot()
    refusals = {}

    for function in functions(drifted):
        arguments = [str(drifted.customer_id)] + [
            ARGUMENTS[kind].format(alert_id=alert_id) for kind in function["types"][1:]
        ]
        with as_tenant(web, own.customer_id) as tenant:
            try:
                rows = tenant.execute(f"SELECT * FROM {function['name']}({', '.join(arguments)})")
            except psycopg2.Error as error:
                refusals[function["name"]] = error.pgcode
                continue
        # A helper that does not write runs as the caller, to whom the rows aren't visible.
        assert not function["definer"], function["name"]
        assert {value for row in rows for value in row} <= {None}, function["name"]

    assert drifted.snapshot() == before
    assert set(refusals.values()) <= {"PD003", "PD004", "PD006"}
    for name in (
        *("drift.detect", "drift.measure", "drift.queue_detection", "drift.lock_customer"),
        *("alerts.acknowledge", "alerts.resolve", "alerts.reopen", "alerts.judge"),
    ):
        assert refusals[name] == "PD003", name


def test_the_own_customer_is_detected_and_measured(drifted: Portfolio, connect: Connect) -> None:
    expected = drifted.measure(DAY)
    before = drifted.snapshot()

    with as_tenant(connect("claimdrift_web"), drifted.customer_id) as tenant:
        assert (
            tenant.dicts("SELECT * FROM drift.measure(%s, %s)", drifted.customer_id, DAY)
            == expected
        )
        tenant.execute("SELECT drift.detect(%s, %s)", drifted.customer_id, DAY)
        tenant.execute("SELECT drift.detect(%s, %s)", drifted.customer_id, week(1))
        assert tenant.value("SELECT occurrences FROM alert") == 2

    assert drifted.snapshot() == before


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_written_directly(drifted: Portfolio, connect: Connect, table: str) -> None:
    before = drifted.snapshot()
    for statement in (
        f"INSERT INTO {table} SELECT * FROM {table}",
        f"UPDATE {table} SET customer_id = customer_id",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
    ):
        with (
            as_tenant(connect("claimdrift_web"), drifted.customer_id) as tenant,
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
        ):
            tenant.execute(statement)
    assert drifted.snapshot() == before


@pytest.mark.parametrize(
    "value", ["{*}", "{all}", "{core.DriftEvent}", "{core.DriftEvent:apply_events_insert}"]
)
def test_no_setting_keeps_an_event_from_its_alert(
    portfolio: Portfolio, connect: Connect, value: str
) -> None:
    tell(portfolio, (DAY, CRITICAL))
    ignore = "SELECT set_config('pgtrigger.ignore', %s, false)"

    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant:
        tenant.execute(ignore, value)
        tenant.execute("SELECT drift.detect(%s, %s)", portfolio.customer_id, DAY)
        assert tenant.value("SELECT count(*) FROM drift_event") == 1
        assert tenant.value("SELECT count(*) FROM alert_transition") == 1
    worker = Database(connect("claimdrift_worker"))
    worker.execute(ignore, value)
    worker.execute("SELECT drift.detect(%s, %s)", portfolio.customer_id, DAY)

    assert portfolio.kinds() == ["opened"]


def test_events_and_alerts_of_others_are_not_seen(
    drifted: Portfolio, make_portfolio: Any, connect: Connect
) -> None:
    other = make_portfolio()

    with as_tenant(connect("claimdrift_web"), other.customer_id) as tenant:
        for table in TABLES:
            assert tenant.value(f"SELECT count(*) FROM {table}") == 0
    with as_tenant(connect("claimdrift_web"), drifted.customer_id) as tenant:
        for table in TABLES:
            assert tenant.value(f"SELECT count(*) FROM {table}") > 0
