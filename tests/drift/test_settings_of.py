"""`drift.settings_of`: a customer's settings, which exist from the moment it does."""

from tests.drift.oracle import Settings
from tests.portfolio import Portfolio
from tests.refusal import refused


def test_a_new_customer_has_the_defaults(portfolio: Portfolio) -> None:
    row = portfolio.worker.one("SELECT * FROM drift.settings_of(%s)", portfolio.customer_id)

    assert {name: row[name] for name in vars(Settings())} == vars(Settings())
    assert row["cooldown_hours"] == 168


def test_an_unknown_customer_is_refused(portfolio: Portfolio) -> None:
    with refused("PD004"):
        portfolio.worker.execute("SELECT * FROM drift.settings_of(-1)")
