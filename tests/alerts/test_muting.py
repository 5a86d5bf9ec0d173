"""`alerts.muting`: whether an alert that an event opens is muted, and why."""

from tests.alerts.stories import DAY, INFO, open_alert
from tests.drift.former_alerts import insert
from tests.portfolio import Portfolio

MUTING = """
    SELECT m.mute_until IS NOT NULL, m.speaker_id
    FROM drift_event AS e CROSS JOIN LATERAL alerts.muting(e) AS m
    WHERE e.customer_id = %s
"""


def test_nothing_mutes_what_nobody_called_noise(portfolio: Portfolio) -> None:
    open_alert(portfolio, rate=INFO)

    assert portfolio.owner.execute(MUTING, portfolio.customer_id) == [(False, None)]


def test_two_verdicts_of_noise_and_an_alert_on_the_payer_do(portfolio: Portfolio) -> None:
    noise = [insert(portfolio, (100, 90)), insert(portfolio, (60, 50))]
    payer = insert(portfolio, (10, None), group=None)
    portfolio.detect(DAY)
    portfolio.owner.execute(
        "INSERT INTO drift_event (customer_id, run_id, payer_id, cpt_group_id, metric, direction,"
        " current_start, current_end, baseline_n, current_n, severity, delta)"
        " SELECT customer_id, id, %s, %s, 'DENIAL_RATE', 'up', as_of - 14, as_of - 1, 100, 30, 0.1,"
        " 0.05 FROM drift_run WHERE customer_id = %s",
        portfolio.payer("Aetna"),
        portfolio.group("99213"),
        portfolio.customer_id,
    )
    assert portfolio.owner.execute(MUTING, portfolio.customer_id) == [(False, payer)]

    for alert_id in noise:
        portfolio.judge(alert_id, portfolio.user(), "noise")

    assert portfolio.owner.execute(MUTING, portfolio.customer_id) == [(True, payer)]
