"""`drift.left_out_lines`: the lines of the days that a measurement leaves out."""

from collections import Counter
from datetime import timedelta

from tests.alerts.stories import DAY
from tests.drift.former_alerts import END, START, ask, insert
from tests.portfolio import Portfolio


def test_they_are_counted_by_cell_and_days(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=2, rate=0.5)
    portfolio.decide(DAY - timedelta(94), denied=3, paid=4, days=25)
    insert(portfolio, (80, 70))

    rows = ask(portfolio, "left_out_lines", START, END, "DENIAL_RATE")

    # Ages 94 to 71: cells 0 (57 to 70), 1 (71 to 84) and 2 (85 to 98).
    assert {(row["cell"], row["days"], row["lines"], row["denied"]) for row in rows} == {
        (1, 10, 2 * 14, 14),
        (2, 10, 2 * 10, 10),
        (2, 25, 7, 3),
    }
    assert {row["is_current"] for row in rows} == {False}
    assert {(row["payer_id"], row["cpt_group_id"]) for row in rows} == {
        (portfolio.payer("Aetna"), portfolio.group("99213"))
    }


def test_current_cells_count_from_the_day_before(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=1, rate=0)
    insert(portfolio, (60, 30), recovered=(30,))

    rows = ask(portfolio, "left_out_lines", START, END, "DENIAL_RATE")

    # Ages 56 to 45, all in the fourth cell (ages 43 to 56).
    assert [(row["cell"], row["lines"]) for row in rows if row["is_current"]] == [(3, 12)]


def test_of_a_payer_as_a_whole_all_groups_are(portfolio: Portfolio) -> None:
    for group in ("99213", "99214"):
        portfolio.decide_period(DAY - timedelta(200), DAY, per_day=1, rate=0, group=group)
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=1, rate=0, payer="Cigna")
    insert(portfolio, (80, 70), group=None)
    insert(portfolio, (75, 65))

    lines: Counter[int] = Counter()
    for row in ask(portfolio, "left_out_lines", START, END, "DENIAL_RATE"):
        assert row["payer_id"] == portfolio.payer("Aetna")
        lines[row["cpt_group_id"]] += row["lines"]

    # Ages 94 to 71, and of the group with an alert of its own to 66; none of them twice.
    assert lines == {portfolio.group("99213"): 29, portfolio.group("99214"): 24}


def test_each_metric_leaves_out_its_own(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=1, rate=0)
    insert(portfolio, (80, 70), metric="DECISION_DAYS")

    assert ask(portfolio, "left_out_lines", START, END, "DENIAL_RATE") == []
    rows = ask(portfolio, "left_out_lines", START, END, "DECISION_DAYS")
    assert sum(row["lines"] for row in rows) == 24


def test_a_measurement_is_without_them(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(300), DAY, per_day=4, rate=0.5)
    portfolio.decide_period(DAY - timedelta(300), DAY, per_day=4, rate=0.5, payer="Cigna")
    insert(portfolio, (80, 70))

    assert portfolio.measured(DAY)["baseline_n"] == 4 * (182 - 24)
    assert portfolio.measured(DAY, "DECISION_DAYS")["baseline_n"] == 4 * 182
    assert portfolio.measured(DAY, payer="Cigna")["baseline_n"] == 4 * 182


def test_without_a_baseline_there_are_none(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(200), DAY, per_day=1, rate=0)
    insert(portfolio, (80, 70))

    assert ask(portfolio, "left_out_lines", None, None, "DENIAL_RATE") == []
