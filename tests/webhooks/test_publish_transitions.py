"""`webhooks.publish_transitions`: what happens to alerts is told, once and only if it happened."""

from datetime import timedelta

import psycopg2
import pytest

from tests.acceptance.together import DatabaseUrl, do_together, open_connections
from tests.alerts.stories import CRITICAL, DAY, NORMAL, WARNING, open_alert, tell, week
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant
from tests.webhooks.dispatch import Dispatch

KEYS = {
    *("alert_id", "version", "status", "level", "severity", "metric", "direction", "payer"),
    *("cpt_group", "as_of", "opened_as_of", "baseline_value", "current_value", "delta"),
    *("baseline_n", "current_n", "resolved_by", "link"),
}


def alert_types(dispatch: Dispatch) -> list[str]:
    return [name for name in dispatch.types() if name.startswith("alert.")]


def test_a_new_alert_is_told_with_its_figures(dispatch: Dispatch) -> None:
    portfolio = dispatch.portfolio
    open_alert(portfolio)

    [event] = [e for e in dispatch.events() if e["type"] == "alert.opened"]
    alert = portfolio.alert()
    [transition] = portfolio.rows("alert_transition")
    [drift] = portfolio.rows("drift_event")
    assert set(event["payload"]) == {"type", "timestamp", "data"}
    assert event["payload"]["type"] == "alert.opened"
    assert event["payload"]["timestamp"] == f"{transition['at']:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert event["occurred_at"] == transition["at"]
    assert event["dedup_key"] == f"alert:{alert['id']}:1"
    assert event["message_id"].startswith("msg_")
    assert event["payload"]["data"] == {
        "alert_id": alert["id"],
        "version": 1,
        "status": "open",
        "level": "critical",
        "severity": pytest.approx(transition["severity"]),
        "metric": "DENIAL_RATE",
        "direction": alert["direction"],
        "payer": {"id": portfolio.payer("Aetna"), "name": "Aetna"},
        "cpt_group": {"id": portfolio.group("99213"), "name": "99213"},
        "as_of": DAY.isoformat(),
        "opened_as_of": DAY.isoformat(),
        "baseline_value": pytest.approx(drift["baseline_value"]),
        "current_value": pytest.approx(drift["current_value"]),
        "delta": pytest.approx(drift["delta"]),
        "baseline_n": drift["baseline_n"],
        "current_n": drift["current_n"],
        "resolved_by": None,
        "link": f"/api/v1/alerts/{alert['id']}",
    }


def test_each_thing_that_users_do_is_told(dispatch: Dispatch) -> None:
    portfolio = dispatch.portfolio
    open_alert(portfolio)
    portfolio.acknowledge(p_note="Called Dr. Jones about Mr. Smith.")
    portfolio.resolve(p_actor_id=portfolio.user(), p_note="Mr. Smith's was paid.")
    portfolio.reopen(p_note="Mr. Smith called.")

    events = [e for e in dispatch.events() if e["type"].startswith("alert.")]

    assert [
        (e["type"], d["version"], d["status"], d["resolved_by"])
        for e in events
        for d in [e["payload"]["data"]]
    ] == [
        ("alert.opened", 1, "open", None),
        ("alert.acknowledged", 2, "acknowledged", None),
        ("alert.resolved", 3, "resolved", "user"),
        ("alert.reopened", 4, "open", None),
    ]
    for event in events:
        assert set(event["payload"]["data"]) == KEYS
        assert "Smith" not in str(event["payload"])
    assert len({event["message_id"] for event in events}) == 4


def test_what_detection_does_is_told(dispatch: Dispatch) -> None:
    portfolio = dispatch.portfolio
    portfolio.settings(cooldown_hours=0)
    tell(portfolio, (DAY, WARNING), (week(4), 0.6), (week(30), NORMAL))
    portfolio.detect_weekly(DAY, week(14))

    kinds = portfolio.kinds()
    assert {"opened", "escalated", "cleared"} <= set(kinds)
    assert alert_types(dispatch) == [
        f"alert.{'resolved' if kind == 'cleared' else kind}" for kind in kinds
    ]
    [cleared] = [e for e in dispatch.events() if e["type"] == "alert.resolved"]
    data = cleared["payload"]["data"]
    assert (data["status"], data["resolved_by"]) == ("resolved", "cleared")


def test_an_alert_that_came_back_is_told_as_reopened(dispatch: Dispatch) -> None:
    portfolio = dispatch.portfolio
    tell(portfolio, (week(1), CRITICAL), (week(8), NORMAL), (week(14), CRITICAL))
    portfolio.settings(cooldown_hours=24 * 365)
    portfolio.detect_weekly(DAY, week(13))

    assert alert_types(dispatch) == [
        f"alert.{'resolved' if kind == 'cleared' else kind}" for kind in portfolio.kinds()
    ]


def test_a_repeated_run_tells_nothing_again(dispatch: Dispatch) -> None:
    open_alert(dispatch.portfolio)
    dispatch.portfolio.detect(DAY)

    assert alert_types(dispatch) == ["alert.opened"]


def test_a_muted_alert_is_not_told(dispatch: Dispatch) -> None:
    """A payer's alert speaks for those of its groups."""
    portfolio = dispatch.portfolio
    for group in ("99213", "99214", "99215"):
        tell(portfolio, (DAY, CRITICAL), group=group)
    portfolio.detect(DAY)
    alerts = portfolio.rows("alert")
    spoken = [alert["id"] for alert in alerts if not alert["muted"]]
    assert 0 < len(spoken) < len(alerts)

    told = [e["payload"]["data"] for e in dispatch.events() if e["type"] == "alert.opened"]
    assert [data["alert_id"] for data in told] == spoken
    for alert in alerts:
        portfolio.acknowledge(alert["id"])
    assert alert_types(dispatch) == ["alert.opened", "alert.acknowledged"] * len(spoken)


def test_an_alert_on_a_whole_payer_names_no_group(dispatch: Dispatch) -> None:
    for group in ("99213", "99214", "99215"):
        tell(dispatch.portfolio, (DAY, CRITICAL), group=group)
    dispatch.portfolio.detect(DAY)

    groups = [e["payload"]["data"]["cpt_group"] for e in dispatch.events() if "alert" in e["type"]]
    assert groups == [None]


def test_however_many_detect_at_once_each_transition_is_told_once(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    portfolio = dispatch.portfolio
    endpoint_id = dispatch.create(event_types=["alert.opened"])
    for payer in ("Aetna", "Cigna", "Humana"):
        tell(portfolio, (DAY, CRITICAL), payer=payer)
    with open_connections(database_url, 8) as connections:
        results = do_together(connections, [lambda d: Portfolio.detect(_as(portfolio, d), DAY)] * 8)
    assert not [result for result in results if isinstance(result, psycopg2.Error)]

    transitions = portfolio.rows("alert_transition")
    assert len(transitions) == 3
    assert sorted(e["dedup_key"] for e in dispatch.events() if "alert" in e["type"]) == sorted(
        f"alert:{row['alert_id']}:{row['version']}" for row in transitions
    )
    assert len(dispatch.ids_of(endpoint_id)) == len(dispatch.jobs()) == 3


def _as(portfolio: Portfolio, database: Database) -> Portfolio:
    """The same customer, over another connection."""
    other = Portfolio.__new__(Portfolio)
    other.__dict__ = {**portfolio.__dict__, "worker": database}
    return other


def test_what_is_rolled_back_leaves_nothing(dispatch: Dispatch, database_url: DatabaseUrl) -> None:
    portfolio = dispatch.portfolio
    open_alert(portfolio)
    dispatch.create()
    before = dispatch.snapshot(), dispatch.jobs()
    alert_id = portfolio.alert()["id"]
    with open_connections(database_url, 1) as [database]:
        database.execute("BEGIN")
        database.execute("SELECT alerts.resolve(%s, %s, NULL)", portfolio.customer_id, alert_id)
        database.execute("ROLLBACK")
        assert (dispatch.snapshot(), dispatch.jobs()) == before

        database.execute("BEGIN")
        database.execute("SELECT alerts.resolve(%s, %s, NULL)", portfolio.customer_id, alert_id)
        database.execute("COMMIT")
    assert len(dispatch.portfolio.rows("webhook_delivery")) == len(dispatch.jobs()) == 1
    assert dispatch.types()[-1] == "alert.resolved"


def test_a_tenants_move_is_told(dispatch: Dispatch, web: Database) -> None:
    open_alert(dispatch.portfolio)
    dispatch.create()
    with as_tenant(web.connection, dispatch.customer_id) as tenant:
        tenant.execute(
            "SELECT alerts.acknowledge(%s, %s, NULL)",
            dispatch.customer_id,
            dispatch.portfolio.alert()["id"],
        )
        web.connection.commit()

    assert dispatch.types()[-1] == "alert.acknowledged"
    assert len(dispatch.jobs()) == 1


def test_the_figures_are_those_that_were_seen_last(dispatch: Dispatch) -> None:
    portfolio = dispatch.portfolio
    tell(portfolio, (DAY, CRITICAL), (week(10), 0.5))
    portfolio.detect_weekly(DAY, DAY + timedelta(days=7))
    portfolio.acknowledge()

    newest = portfolio.rows("drift_event", order_by="current_end")[-1]
    data = dispatch.events()[-1]["payload"]["data"]
    assert data["current_value"] == pytest.approx(newest["current_value"])
    assert data["current_n"] == newest["current_n"]
    assert data["as_of"] == week(1).isoformat()
    assert data["opened_as_of"] == DAY.isoformat()
