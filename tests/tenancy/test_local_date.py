"""`tenancy.local_date`: the customer's date, around its midnight."""

from datetime import date

import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.tenancy import transaction

CALL = "SELECT tenancy.local_date(p_customer_id => %s, p_at => %s::timestamptz)"


@pytest.mark.parametrize(
    ("time_zone", "at", "expected"),
    [
        ("UTC", "2025-03-01 23:59:59.999999+00", "2025-03-01"),
        ("UTC", "2025-03-02 00:00:00+00", "2025-03-02"),
        ("America/New_York", "2025-03-02 04:59:59+00", "2025-03-01"),
        ("America/New_York", "2025-03-02 05:00:00+00", "2025-03-02"),
        # Daylight saving time begins on 9 March and ends on 2 November.
        ("America/New_York", "2025-03-10 03:59:59+00", "2025-03-09"),
        ("America/New_York", "2025-03-10 04:00:00+00", "2025-03-10"),
        ("America/New_York", "2025-11-03 04:59:59+00", "2025-11-02"),
        ("America/New_York", "2025-11-03 05:00:00+00", "2025-11-03"),
        ("Asia/Kathmandu", "2025-03-01 18:14:59+00", "2025-03-01"),
        ("Asia/Kathmandu", "2025-03-01 18:15:00+00", "2025-03-02"),
        ("Pacific/Kiritimati", "2025-12-31 10:00:00+00", "2026-01-01"),
        ("Pacific/Pago_Pago", "2026-01-01 10:59:59+00", "2025-12-31"),
        ("Asia/Tokyo", "2024-02-28 15:00:00+00", "2024-02-29"),
    ],
)
def test_the_day_begins_at_the_customers_midnight(
    owner: Database, worker: Database, time_zone: str, at: str, expected: str
) -> None:
    portfolio = Portfolio(owner, worker, time_zone=time_zone)

    assert worker.value(CALL, portfolio.customer_id, at) == date.fromisoformat(expected)


def test_the_sessions_own_time_zone_is_of_no_consequence(owner: Database, worker: Database) -> None:
    portfolio = Portfolio(owner, worker, time_zone="America/New_York")

    for zone in ("UTC", "Asia/Tokyo", "Pacific/Pago_Pago"):
        with transaction(worker):
            worker.execute(f"SET LOCAL TIME ZONE '{zone}'")
            assert worker.value(CALL, portfolio.customer_id, "2025-03-02 04:59:59+00") == date(
                2025, 3, 1
            )


def test_it_is_null_for_an_unknown_customer_or_moment(
    worker: Database, portfolio: Portfolio
) -> None:
    assert worker.value(CALL, 0, "2025-03-02 00:00+00") is None
    assert worker.value(CALL, portfolio.customer_id, None) is None


def test_a_tenant_can_not_ask_for_another(web: Database, owner: Database, worker: Database) -> None:
    one, two = Portfolio(owner, worker), Portfolio(owner, worker)

    with transaction(web, role="claimdrift_tenant", customer_id=one.customer_id):
        assert web.value(CALL, one.customer_id, "2025-03-02 00:00+00") == date(2025, 3, 2)
        assert web.value(CALL, two.customer_id, "2025-03-02 00:00+00") is None
