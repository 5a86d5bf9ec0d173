"""`alerts.move`, and `acknowledge`, `resolve` and `reopen`, which are its three kinds."""

from datetime import timedelta
from typing import Any

import psycopg2.errors
import pytest

from tests.alerts.stories import CRITICAL, DAY, NORMAL, open_alert, tell, week
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

MOVES = ("acknowledge", "resolve", "reopen")
PATHS: dict[str, tuple[str, ...]] = {
    "open": (),
    "acknowledged": ("acknowledge",),
    "resolved": ("resolve",),
}
LEGAL = {
    ("open", "acknowledge"): ("acknowledged", "acknowledged"),
    ("open", "resolve"): ("resolved", "resolved"),
    ("acknowledged", "resolve"): ("resolved", "resolved"),
    ("resolved", "reopen"): ("reopened", "open"),
}
HINTS = {
    "acknowledge": "Only an open alert",
    "resolve": "Only an open or acknowledged alert",
    "reopen": "Only a resolved alert",
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("status", PATHS)
def test_only_legal_moves_are_made(portfolio: Portfolio, status: str, move: str) -> None:
    open_alert(portfolio)
    for step in PATHS[status]:
        getattr(portfolio, step)()
    before = portfolio.snapshot()

    if (status, move) not in LEGAL:
        with refused("PD007", HINTS[move]):
            getattr(portfolio, move)()
        assert portfolio.snapshot() == before
        return
    user_id = portfolio.user()
    version = getattr(portfolio, move)(p_actor_id=user_id, p_note="Called them.")

    kind, new_status = LEGAL[status, move]
    alert = portfolio.alert()
    transition = portfolio.rows("alert_transition")[-1]
    assert alert["version"] == version == before["alert"][0]["version"] + 1
    assert (transition["version"], transition["kind"]) == (version, kind)
    assert (transition["from_status"], transition["to_status"]) == (status, new_status)
    assert (transition["actor_id"], transition["note"]) == (user_id, "Called them.")
    assert transition["as_of"] == DAY
    assert transition["at"] == alert["updated_at"] > before["alert"][0]["updated_at"]
    assert alert["status"] == new_status
    assert alert["resolved_by"] == ("user" if new_status == "resolved" else None)
    assert alert["resolved_as_of"] == (DAY if new_status == "resolved" else None)


def test_versions_have_no_gaps(portfolio: Portfolio) -> None:
    open_alert(portfolio)

    versions = [
        *(portfolio.acknowledge(), portfolio.resolve(), portfolio.reopen()),
        *(portfolio.acknowledge(), portfolio.resolve(), portfolio.reopen(), portfolio.resolve()),
    ]

    assert versions == list(range(2, 9))
    assert [row["version"] for row in portfolio.rows("alert_transition")] == list(range(1, 9))


@pytest.mark.parametrize("move", MOVES)
def test_an_unknown_alert_is_refused(portfolio: Portfolio, make_portfolio: Any, move: str) -> None:
    other = make_portfolio()
    open_alert(other)
    before = other.snapshot()

    for alert_id in (-1, other.alert()["id"]):
        with refused("PD006", "Look the id up"):
            getattr(portfolio, move)(alert_id)
    assert other.snapshot() == before


@pytest.mark.parametrize("move", MOVES)
def test_an_unknown_actor_is_refused(portfolio: Portfolio, move: str) -> None:
    open_alert(portfolio)
    if move == "reopen":
        portfolio.resolve()

    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        getattr(portfolio, move)(p_actor_id=-1)


@pytest.mark.parametrize("move", MOVES)
def test_moves_are_refused_in_other_isolation_levels(
    portfolio: Portfolio, connect: Connect, move: str
) -> None:
    open_alert(portfolio)
    connection = connect()
    connection.set_session(isolation_level="REPEATABLE READ", autocommit=False)

    with refused("PD001", "READ COMMITTED"):
        Database(connection).execute(
            f"SELECT alerts.{move}(p_customer_id => %s, p_alert_id => %s, p_actor_id => NULL)",
            portfolio.customer_id,
            portfolio.alert()["id"],
        )
    connection.rollback()


def test_only_the_newest_alert_of_its_kind_can_be_reopened(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL), (week(4), NORMAL), (week(8), CRITICAL))
    portfolio.detect_weekly(DAY, week(6))
    former, new = portfolio.rows("alert")

    with refused("PD007", "Only the newest alert"):
        portfolio.reopen(former["id"])
    portfolio.resolve(new["id"])
    with refused("PD007", "Only the newest alert"):
        portfolio.reopen(former["id"])
    portfolio.reopen(new["id"])


def test_a_resolved_alert_stays_so_while_it_drifts_in_the_same_band(
    portfolio: Portfolio,
) -> None:
    # Not for ever: in time the baseline takes in what nobody wants to hear of.
    tell(portfolio, (week(10), CRITICAL))
    portfolio.detect(DAY)
    portfolio.resolve()

    portfolio.detect_weekly(week(1), week(8))

    alert = portfolio.alert()
    assert (alert["status"], alert["occurrences"], alert["rearmed"]) == ("resolved", 1, False)
    assert all(
        event["direction"] == "up" and not event["withdrawn"]
        for event in portfolio.rows("drift_event")
    )


def test_a_reopened_alert_keeps_its_baseline_and_waits_14_days(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    portfolio.detect_weekly(week(1), week(2))
    cleared = portfolio.alert()
    assert cleared["resolved_by"] == "cleared"

    portfolio.reopen()
    reopened = portfolio.alert()
    for column in ("baseline_start", "baseline_end", "baseline_n", "baseline_x"):
        assert reopened[column] == cleared[column], column
    assert (reopened["episode_as_of"], reopened["last_seen_as_of"]) == (week(2), week(2))
    portfolio.detect_weekly(week(2), week(3))
    assert portfolio.alert()["status"] == "open"
    portfolio.detect(week(4))

    assert portfolio.kinds() == ["opened", "cleared", "reopened", "cleared"]


def test_a_new_normal_starts_the_baseline_with_the_alert(portfolio: Portfolio) -> None:
    tell(portfolio, (week(20), CRITICAL))
    portfolio.detect_weekly(DAY, week(1))
    portfolio.resolve(p_new_normal=True)
    assert portfolio.alert()["new_normal"] is True

    portfolio.detect_weekly(week(2), week(20))

    assert portfolio.kinds() == ["opened", "resolved"]
    assert portfolio.measured(week(8))["baseline_n"] == 0
    for weeks in range(2, 21):
        baseline_n = max(0, ((week(weeks) - DAY).days - 56) * 10)
        measured = portfolio.measured(week(weeks))
        assert measured["baseline_n"] == baseline_n, weeks
        assert measured["sufficient"] == (baseline_n >= 30)
    assert measured["baseline_value"] == pytest.approx(CRITICAL, abs=0.01)


def test_a_new_normal_of_nothing_is_none(portfolio: Portfolio) -> None:
    open_alert(portfolio)

    portfolio.resolve(p_new_normal=None)

    assert (portfolio.alert()["new_normal"], portfolio.alert()["rearmed"]) == (False, False)


def test_a_user_moves_an_alert_as_of_the_newest_run(portfolio: Portfolio) -> None:
    open_alert(portfolio)
    newest = DAY + timedelta(13)
    portfolio.detect(newest)
    assert portfolio.alert()["last_seen_as_of"] == DAY

    portfolio.resolve()

    assert portfolio.alert()["resolved_as_of"] == newest
    assert portfolio.rows("alert_transition")[-1]["as_of"] == newest
