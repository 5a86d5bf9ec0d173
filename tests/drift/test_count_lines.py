"""`drift.count_lines`: lines of both windows, per group, window and days until decided."""

from datetime import timedelta

from tests.alerts.stories import DAY
from tests.portfolio import Portfolio


def test_lines_are_counted_by_window_group_and_days(portfolio: Portfolio) -> None:
    for age in (31, 30, 20, 19, 15, 14, 1, 0):
        portfolio.decide(DAY - timedelta(age), denied=1, paid=2, days=age % 2)
    portfolio.decide(DAY - timedelta(2), paid=5, payer="Cigna", group="99214")

    rows = portfolio.worker.execute(
        """
        SELECT is_current, days, lines, denied, payer_id, cpt_group_id
        FROM drift.count_lines(
            p_customer_id => %s, p_baseline_start => %s, p_baseline_end => %s,
            p_current_start => %s, p_current_end => %s
        )
        ORDER BY payer_id, is_current, days
        """,
        portfolio.customer_id,
        *(DAY - timedelta(age) for age in (30, 20, 14, 1)),
    )

    aetna = (portfolio.payer("Aetna"), portfolio.group("99213"))
    cigna = (portfolio.payer("Cigna"), portfolio.group("99214"))
    assert rows == [
        (False, 0, 6, 2, *aetna),
        (True, 0, 3, 1, *aetna),
        (True, 1, 3, 1, *aetna),
        (True, 1 + 9, 5, 0, *cigna),
    ]


def test_without_a_baseline_only_the_current_window_counts(portfolio: Portfolio) -> None:
    for age in (15, 14, 1, 0):
        portfolio.decide(DAY - timedelta(age), paid=1)

    assert portfolio.worker.execute(
        """
        SELECT is_current, sum(lines)::int FROM drift.count_lines(
            p_customer_id => %s, p_baseline_start => NULL, p_baseline_end => NULL,
            p_current_start => %s, p_current_end => %s
        )
        GROUP BY is_current
        """,
        portfolio.customer_id,
        DAY - timedelta(14),
        DAY - timedelta(1),
    ) == [(True, 2)]


def test_pending_lines_do_not_count(portfolio: Portfolio) -> None:
    portfolio.decide(DAY - timedelta(1), paid=3)
    portfolio.owner.execute(
        "UPDATE claim SET outcome = 'PENDING', decided_date = NULL, first_outcome = NULL,"
        " first_decided_date = NULL WHERE customer_id = %s AND claim_number LIKE '%%1'",
        portfolio.customer_id,
    )

    assert portfolio.measured(DAY)["current_n"] == 2
