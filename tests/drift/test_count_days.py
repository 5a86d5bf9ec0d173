"""`drift.count_days`: lines by group and days to the first decision."""

from datetime import timedelta
from typing import Any

from tests.alerts.stories import DAY
from tests.drift.former_alerts import END, START, ask
from tests.portfolio import Portfolio


def counted(portfolio: Portfolio, *arguments: Any) -> set[tuple[Any, ...]]:
    rows = ask(portfolio, "count_days", *arguments)
    return {(row["is_current"], row["days"], row["lines"]) for row in rows}


def test_lines_are_counted_by_days_to_the_first_decision(portfolio: Portfolio) -> None:
    # (age, lines, days): on the first and last days of both, and just outside.
    for age, lines, days in (
        *((0, 9, 10), (1, 1, 10), (14, 2, 10), (14, 3, 20), (15, 9, 10)),
        *((56, 9, 10), (57, 1, 10), (57, 5, 30), (100, 2, 10), (101, 9, 10)),
    ):
        portfolio.decide(DAY - timedelta(age), paid=lines, days=days)
    # A later decision is no matter.
    portfolio.owner.execute(
        "UPDATE claim SET decided_date = %s WHERE customer_id = %s", DAY, portfolio.customer_id
    )

    assert counted(portfolio, START, END) == {
        (True, 10, 3),
        (True, 20, 3),
        (False, 10, 3),
        (False, 30, 5),
    }


def test_groups_are_counted_apart(portfolio: Portfolio) -> None:
    portfolio.decide(DAY - timedelta(60), paid=1)
    portfolio.decide(DAY - timedelta(60), denied=2, group="99214")
    portfolio.decide(DAY - timedelta(60), denied=3, payer="Cigna")

    rows = ask(portfolio, "count_days", START, END)

    assert {(row["payer_id"], row["cpt_group_id"]): row["lines"] for row in rows} == {
        (portfolio.payer("Aetna"), portfolio.group("99213")): 1,
        (portfolio.payer("Aetna"), portfolio.group("99214")): 2,
        (portfolio.payer("Cigna"), portfolio.group("99213")): 3,
    }


def test_without_a_baseline_only_the_last_14_days_are(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(100), DAY, per_day=1, rate=0)

    assert counted(portfolio, None, None) == {(True, 10, 14)}
