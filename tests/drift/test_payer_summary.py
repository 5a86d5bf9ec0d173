"""`drift.payer_summary`: what each payer decided in a period and in the one before."""

import random
import statistics
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

from core.functions import drift_newest_as_of, drift_payer_summary
from tests.alerts.stories import CRITICAL, DAY, NORMAL, START, tell
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

CALL = "SELECT * FROM drift.payer_summary(p_customer_id => %s, p_start => %s, p_end => %s)"
FIRST = date(2026, 3, 11)
LAST = date(2026, 3, 20)


NOTHING = {
    "claims": 0,
    "denied": 0,
    "denial_rate": None,
    "median_days": None,
    "previous_claims": 0,
    "previous_denial_rate": None,
    "previous_median_days": None,
    "open_alerts": 0,
}


def summary(
    portfolio: Portfolio, start: date = FIRST, end: date = LAST
) -> dict[int, dict[str, Any]]:
    return drift_payer_summary(customer_id=portfolio.customer_id, start=start, end=end)


def of_aetna(portfolio: Portfolio, start: date = FIRST, end: date = LAST) -> dict[str, Any]:
    return summary(portfolio, start, end)[portfolio.payer("Aetna")]


def test_both_periods_include_their_ends_and_nothing_beyond(portfolio: Portfolio) -> None:
    for days, denied in ((-11, 8), (-10, 1), (-1, 2), (0, 3), (9, 4), (10, 16)):
        portfolio.decide(FIRST + timedelta(days), denied=denied, paid=5, days=20 + days)

    assert of_aetna(portfolio) == {
        "claims": 17,
        "denied": 7,
        "denial_rate": 7 / 17,
        # Eight lines took 20 days, nine 29.
        "median_days": 29.0,
        "previous_claims": 13,
        "previous_denial_rate": 3 / 13,
        "previous_median_days": 19.0,
        "open_alerts": 0,
    }


def test_one_day_is_compared_with_the_day_before(portfolio: Portfolio) -> None:
    portfolio.decide(FIRST, paid=1)
    portfolio.decide(FIRST - timedelta(1), denied=1)
    portfolio.decide(FIRST - timedelta(2), denied=5)

    row = of_aetna(portfolio, FIRST, FIRST)
    assert (row["claims"], row["denial_rate"]) == (1, 0.0)
    assert (row["previous_claims"], row["previous_denial_rate"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("days", "median"),
    [
        ([7], 7.0),
        ([0, 0], 0.0),
        ([1, 4], 2.5),
        ([1, 1, 9], 1.0),
        ([1, 2, 4, 9], 3.0),
        ([5, 5, 6, 6], 5.5),
        ([0, 3, 3, 400], 3.0),
    ],
)
def test_the_median_is_that_of_the_lines(
    portfolio: Portfolio, days: list[int], median: float
) -> None:
    for number in days:
        portfolio.decide(FIRST, paid=1, days=number)

    assert of_aetna(portfolio)["median_days"] == median


def test_the_first_determination_counts(portfolio: Portfolio) -> None:
    portfolio.decide(FIRST, denied=1)
    later = LAST + timedelta(30)
    portfolio.owner.execute(
        "UPDATE claim SET outcome = 'PAID', decided_date = %s WHERE customer_id = %s",
        later,
        portfolio.customer_id,
    )

    assert (of_aetna(portfolio)["claims"], of_aetna(portfolio)["denied"]) == (1, 1)
    assert summary(portfolio, later, later) == {}


def test_what_is_pending_does_not_count(portfolio: Portfolio) -> None:
    portfolio.decide(FIRST, paid=1)
    portfolio.owner.execute(
        "UPDATE claim SET outcome = 'PENDING', decided_date = NULL, first_outcome = NULL,"
        " first_decided_date = NULL WHERE customer_id = %s",
        portfolio.customer_id,
    )

    assert summary(portfolio) == {}


def test_a_payer_with_lines_in_one_period_only(portfolio: Portfolio) -> None:
    portfolio.decide(FIRST, paid=3, payer="New")
    portfolio.decide(FIRST - timedelta(1), paid=2, denied=2, payer="Gone")
    portfolio.payer("Nothing")

    assert summary(portfolio) == {
        portfolio.payer("New"): NOTHING | {"claims": 3, "denial_rate": 0.0, "median_days": 10.0},
        portfolio.payer("Gone"): NOTHING
        | {"previous_claims": 4, "previous_denial_rate": 0.5, "previous_median_days": 10.0},
    }


def test_live_alerts_are_counted_wherever_the_period_lies(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, CRITICAL), group="99214")
    tell(portfolio, (DAY, NORMAL), payer="Cigna")
    portfolio.detect(DAY)
    alerts = [a for a in portfolio.rows("alert") if a["cpt_group_id"] is not None]
    live = len(portfolio.rows("alert"))
    portfolio.acknowledge(alerts[0]["id"])

    week = summary(portfolio, DAY - timedelta(7), DAY - timedelta(1))
    long_ago = summary(portfolio, START - timedelta(400), START - timedelta(390))
    aetna = portfolio.payer("Aetna")
    assert {payer_id: row["open_alerts"] for payer_id, row in week.items()} == {
        aetna: live,
        portfolio.payer("Cigna"): 0,
    }
    assert long_ago == {aetna: NOTHING | {"open_alerts": live}}

    portfolio.resolve(alerts[1]["id"])
    assert of_aetna(portfolio)["open_alerts"] == live - 1


def expected(lines: dict[tuple[int, int, date, int, bool], int]) -> dict[int, dict[str, Any]]:
    """The same from the lines, one by one."""
    length = (LAST - FIRST).days + 1
    found: dict[int, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for (payer_id, _, decided, days, denied), number in lines.items():
        if FIRST - timedelta(length) <= decided <= LAST:
            prefix = "" if decided >= FIRST else "previous_"
            found[payer_id][f"{prefix}days"] += [days] * number
            found[payer_id][f"{prefix}denied"] += [denied] * number
    return {
        payer_id: {
            "claims": len(row["days"]),
            "denied": sum(row["denied"]),
            "denial_rate": statistics.fmean(row["denied"]) if row["denied"] else None,
            "median_days": statistics.median(row["days"]) if row["days"] else None,
            "previous_claims": len(row["previous_days"]),
            "previous_denial_rate": (
                statistics.fmean(row["previous_denied"]) if row["previous_denied"] else None
            ),
            "previous_median_days": (
                statistics.median(row["previous_days"]) if row["previous_days"] else None
            ),
        }
        for payer_id, row in found.items()
    }


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_what_is_counted_line_by_line(portfolio: Portfolio, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    lines: dict[tuple[int, int, date, int, bool], int] = defaultdict(int)
    for _ in range(600):
        key = (
            portfolio.payer(f"Payer {rng.randrange(6)}"),
            portfolio.group(f"Group {rng.randrange(3)}"),
            FIRST + timedelta(rng.randrange(-15, 15)),
            int(rng.expovariate(0.1)),
            rng.random() < 0.2,
        )
        lines[key] += rng.randrange(1, 4)
    portfolio.decide_lines(lines)

    rows = summary(portfolio)
    assert set(rows) == set(expected(lines))
    for payer_id, figures in expected(lines).items():
        found = {name: rows[payer_id][name] for name in figures}
        assert found == pytest.approx(figures), payer_id


@pytest.mark.parametrize(("start", "end"), [(LAST, FIRST), (None, LAST), (FIRST, None)])
def test_what_is_no_period_is_refused(
    portfolio: Portfolio, start: date | None, end: date | None
) -> None:
    with refused("PD008", "a first and a last day"):
        portfolio.worker.execute(CALL, portfolio.customer_id, start, end)


def test_a_tenant_sees_its_own_claims_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    for customer, paid in ((portfolio, 1), (other, 2)):
        customer.decide(FIRST, paid=paid)

    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant:
        [row] = tenant.dicts(CALL, portfolio.customer_id, FIRST, LAST)
        assert (row["payer_id"], row["claims"]) == (portfolio.payer("Aetna"), 1)
        with refused("PD003"):
            tenant.execute(CALL, other.customer_id, FIRST, LAST)
    assert of_aetna(other)["claims"] == 2


def test_where_alerts_stand_is_a_day_after_the_last_of_their_events(portfolio: Portfolio) -> None:
    assert drift_newest_as_of(customer_id=portfolio.customer_id) is None
    tell(portfolio, (DAY, CRITICAL))
    portfolio.detect(DAY)
    portfolio.detect(DAY - timedelta(7))

    assert drift_newest_as_of(customer_id=portfolio.customer_id) == DAY
    assert {e["current_end"] for e in portfolio.rows("drift_event")} == {DAY - timedelta(1)}
