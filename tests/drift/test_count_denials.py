"""`drift.count_denials`: lines and denials by group and cell, of the baseline and of late."""

from datetime import timedelta
from typing import Any

from tests.alerts.stories import DAY
from tests.drift.former_alerts import END, START, ask
from tests.portfolio import Portfolio


def counted(portfolio: Portfolio, *, current_days: int = 56) -> set[tuple[Any, ...]]:
    rows = ask(portfolio, "count_denials", START, END, current_days)
    return {(row["is_current"], row["cell"], row["lines"], row["denied"]) for row in rows}


def test_cells_are_counted_from_the_newest_day_of_either(portfolio: Portfolio) -> None:
    # (age, denied, paid): on the first and last days of both, and just outside.
    for age, denied, paid in (
        *((0, 9, 9), (1, 1, 2), (14, 1, 0), (15, 0, 1), (56, 2, 0)),
        *((57, 3, 1), (70, 0, 5), (71, 1, 1), (100, 4, 0), (101, 9, 9)),
    ):
        portfolio.decide(DAY - timedelta(age), denied=denied, paid=paid)

    assert counted(portfolio) == {
        # Ages 1 to 14, 15 to 28, 43 to 56.
        *((True, 0, 4, 2), (True, 1, 1, 0), (True, 3, 2, 2)),
        # Ages 57 to 70, 71 to 84, 99 and 100.
        *((False, 0, 9, 3), (False, 1, 2, 1), (False, 3, 4, 4)),
    }
    assert {row for row in counted(portfolio, current_days=14) if row[0]} == {(True, 0, 4, 2)}


def test_the_first_decision_counts(portfolio: Portfolio) -> None:
    portfolio.decide(DAY - timedelta(60), denied=2, paid=1)
    # Both were overturned since.
    portfolio.owner.execute(
        "UPDATE claim SET outcome = 'PAID', decided_date = %s WHERE customer_id = %s",
        DAY - timedelta(5),
        portfolio.customer_id,
    )
    # Of another, nothing is decided yet.
    portfolio.decide(DAY - timedelta(5), paid=1)
    portfolio.owner.execute(
        "UPDATE claim SET outcome = 'PENDING', decided_date = NULL, first_outcome = NULL,"
        " first_decided_date = NULL WHERE customer_id = %s AND first_decided_date = %s",
        portfolio.customer_id,
        DAY - timedelta(5),
    )

    assert counted(portfolio) == {(False, 0, 3, 2)}


def test_groups_are_counted_apart(portfolio: Portfolio) -> None:
    portfolio.decide(DAY - timedelta(60), denied=1)
    portfolio.decide(DAY - timedelta(60), denied=2, group="99214")
    portfolio.decide(DAY - timedelta(60), denied=3, payer="Cigna")

    rows = ask(portfolio, "count_denials", START, END, 56)

    assert {(row["payer_id"], row["cpt_group_id"]): row["lines"] for row in rows} == {
        (portfolio.payer("Aetna"), portfolio.group("99213")): 1,
        (portfolio.payer("Aetna"), portfolio.group("99214")): 2,
        (portfolio.payer("Cigna"), portfolio.group("99213")): 3,
    }


def test_without_a_baseline_only_the_current_are(portfolio: Portfolio) -> None:
    portfolio.decide_period(DAY - timedelta(100), DAY, per_day=1, rate=0)

    rows = ask(portfolio, "count_denials", None, None, 28)

    assert sorted((row["is_current"], row["cell"], row["lines"]) for row in rows) == [
        (True, 0, 14),
        (True, 1, 14),
    ]
