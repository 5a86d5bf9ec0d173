"""`drift.explain`: why there was an alert, or why none, as of a day."""

from datetime import date, timedelta
from typing import Any

from tests.alerts.stories import CRITICAL, DAY, INFO, NORMAL, SHIFT, START, tell, week
from tests.conftest import Connect
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused

EXPLAIN = (
    "SELECT line_number, line FROM drift.explain("
    "p_customer_id => %s, p_as_of => %s, p_payer_id => %s, p_cpt_group_id => %s)"
)


def explain(
    portfolio: Portfolio, as_of: date, payer: str = "Aetna", group: str | None = "99213"
) -> list[str]:
    rows = portfolio.worker.execute(
        EXPLAIN,
        portfolio.customer_id,
        as_of,
        portfolio.payer(payer),
        None if group is None else portfolio.group(group),
    )
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
    return [line for _, line in rows]


def verdicts(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("Verdict: ")]


def test_an_alert_is_explained_from_what_its_run_measured(portfolio: Portfolio) -> None:
    tell(portfolio, (week(1), CRITICAL))
    portfolio.detect(DAY)
    lines = explain(portfolio, DAY)
    # Whatever comes later.
    portfolio.decide(DAY - timedelta(1), denied=50)
    portfolio.settings(min_volume=1000)

    assert explain(portfolio, DAY) == lines
    assert lines[0] == "Aetna, 99213, as of 2026-06-01 (a look)."
    assert lines[1].startswith("Denial rate: 10.0 % in the baseline (182 of 1820 lines,")
    assert sum(line.startswith("Last ") for line in lines) == 4
    assert verdicts(lines) == [
        "Verdict: drifted up, severity 0.8, confidence 1.",
        "Verdict: no drift, the change is too small to matter.",
    ]
    alert_id = portfolio.alert()["id"]
    assert lines[-1] == f"Alert {alert_id} (denial rate, up) opened as of 2026-06-01 and is open."


def test_a_day_without_a_run_is_measured_now(portfolio: Portfolio) -> None:
    tell(portfolio, (week(1), CRITICAL))

    lines = explain(portfolio, DAY)

    assert lines[0] == "Aetna, 99213, as of 2026-06-01 (measured now, there was no run)."
    assert verdicts(lines)[0] == "Verdict: drifted up, severity 0.8, confidence 1."
    assert portfolio.rows("drift_run") == portfolio.rows("drift_measurement") == []
    portfolio.detect(DAY)
    assert explain(portfolio, DAY)[1:-1] == lines[1:]


def test_it_says_what_kind_of_day_it_was(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), INFO))
    portfolio.detect(SHIFT)
    portfolio.detect(SHIFT + timedelta(7))
    between = DAY - timedelta(1)
    portfolio.detect(between)
    older = SHIFT - timedelta(7)
    portfolio.detect(older)

    assert explain(portfolio, SHIFT)[0].endswith("(a look).")
    assert explain(portfolio, older)[0].endswith("(measured only).")
    lines = explain(portfolio, between)
    assert lines[0].endswith("(between two looks).")
    assert verdicts(lines)[0].endswith("no alert opens for it until the next look.")


def test_a_day_that_was_run_again_is_explained_once(portfolio: Portfolio) -> None:
    tell(portfolio, (week(1), CRITICAL))
    portfolio.detect(DAY)
    lines = explain(portfolio, DAY)

    portfolio.detect(DAY)

    assert explain(portfolio, DAY) == lines


def test_a_live_alert_is_measured_against_what_it_froze(portfolio: Portfolio) -> None:
    tell(portfolio, (week(2), CRITICAL))
    portfolio.detect_weekly(DAY, week(1))
    alert_id = portfolio.alert()["id"]

    assert f"; frozen when alert {alert_id} opened)" in explain(portfolio, week(1))[1]


def test_a_payer_as_a_whole(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, CRITICAL))
    tell(portfolio, (DAY, CRITICAL), group="99214")
    portfolio.decide_period(START, SHIFT, per_day=4, rate=NORMAL, payer="Gone")
    portfolio.decide(DAY - timedelta(1), paid=1, payer="Tiny")
    portfolio.detect(DAY)

    lines = explain(portfolio, DAY, group=None)
    assert lines[0] == "Aetna, all groups together, as of 2026-06-01 (a look)."
    assert verdicts(lines) == [
        "Verdict: drifted up, severity 0.8, confidence 1.",
        "Verdict: not silent.",
    ]
    assert explain(portfolio, DAY)[-1].endswith("is open, muted.")
    lines = explain(portfolio, DAY, payer="Gone", group=None)
    assert lines[2] == "Nothing decided for 14 days; the longest time in the baseline was 0 days."
    assert lines[-1].startswith("Alert ")
    assert "(silence, up)" in lines[-1]


def test_what_was_not_measured(portfolio: Portfolio) -> None:
    tell(portfolio, (DAY, NORMAL))
    portfolio.detect(DAY)

    assert explain(portfolio, DAY, payer="Cigna", group="99215") == [
        "Cigna, 99215, as of 2026-06-01 (a look).",
        "Nothing was measured: no line of it was decided in the baseline or lately, or the payer"
        " has one group only, which is measured for it.",
    ]
    unknown = portfolio.worker.execute(EXPLAIN, portfolio.customer_id, DAY, -1, -2)
    assert unknown[0][1].startswith("Payer -1, group -2, as of")


def test_another_customer_is_refused(
    portfolio: Portfolio, make_portfolio: Any, connect: Connect
) -> None:
    other = make_portfolio()
    with (
        refused("PD003"),
        as_tenant(connect("claimdrift_web"), other.customer_id) as tenant,
    ):
        tenant.execute(EXPLAIN, portfolio.customer_id, DAY, 1, 1)
    with refused("PD004"):
        portfolio.worker.execute(EXPLAIN, -1, DAY, 1, 1)
