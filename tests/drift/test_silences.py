"""`drift.silences`: how long payers decided nothing, once and now."""

from datetime import timedelta

import pytest

from tests.alerts.stories import DAY
from tests.drift.former_alerts import END, START, day
from tests.portfolio import Portfolio


def silences(portfolio: Portfolio, *payers: str) -> dict[int, tuple[int | None, int | None]]:
    """Longest and present silence of each payer."""
    rows = portfolio.worker.execute(
        "SELECT payer_id, longest, present FROM drift.silences(p_customer_id => %s,"
        " p_payer_ids => %s, p_as_of => %s, p_baseline_start => %s, p_baseline_end => %s)",
        portfolio.customer_id,
        [portfolio.payer(payer) for payer in payers],
        DAY,
        START,
        END,
    )
    return {payer_id: (longest, present) for payer_id, longest, present in rows}


@pytest.mark.parametrize(
    ("ages", "longest", "present"),
    [
        # The baseline is ages 100 to 57. Before its first decision, between two, after its last.
        ([90, 80, 70], 13, 69),
        ([70, 69], 30, 68),
        ([100, 70, 57], 29, 56),
        ([100, 98, 96], 39, 95),
        # Each day of it.
        (list(range(100, 56, -1)), 0, 56),
        # What is between the baseline and the day is present only.
        ([100, 57, 40, 20], 42, 19),
        ([100, 80, 60, 1], 19, 0),
        # On the day itself nothing is known yet; before the baseline nothing counts.
        ([101, 100, 60, 0], 39, 59),
        ([300, 100], 43, 99),
        # Nothing in the baseline: the longest silence can't be told.
        ([30], None, 29),
    ],
)
def test_days_without_a_decision_are_counted(
    portfolio: Portfolio, ages: list[int], longest: int | None, present: int
) -> None:
    for age in ages:
        portfolio.decide(day(age), paid=1)

    assert silences(portfolio, "Aetna") == {portfolio.payer("Aetna"): (longest, present)}


def test_any_group_breaks_the_silence_of_its_payer(portfolio: Portfolio) -> None:
    portfolio.decide(day(100), paid=1)
    portfolio.decide(day(80), denied=1, group="99214")
    portfolio.decide(day(60), paid=1)
    portfolio.decide(day(75), paid=1, payer="Cigna")

    assert silences(portfolio, "Aetna", "Cigna") == {
        portfolio.payer("Aetna"): (19, 59),
        portfolio.payer("Cigna"): (25, 74),
    }


def test_a_first_decision_counts_and_a_later_one_does_not(portfolio: Portfolio) -> None:
    portfolio.decide(day(90), denied=1)
    portfolio.owner.execute(
        "UPDATE claim SET outcome = 'PAID', decided_date = %s WHERE customer_id = %s",
        DAY - timedelta(3),
        portfolio.customer_id,
    )

    assert silences(portfolio, "Aetna") == {portfolio.payer("Aetna"): (33, 89)}


def test_the_last_decision_may_be_older_than_the_baseline(portfolio: Portfolio) -> None:
    portfolio.decide(day(300), paid=1)
    portfolio.decide(day(101), paid=1)

    assert silences(portfolio, "Aetna") == {portfolio.payer("Aetna"): (None, 100)}


def test_of_a_payer_that_never_decided_nothing_is_known(portfolio: Portfolio) -> None:
    portfolio.decide(day(0), paid=1)

    assert silences(portfolio, "Aetna") == {portfolio.payer("Aetna"): (None, None)}
    assert silences(portfolio) == {}
