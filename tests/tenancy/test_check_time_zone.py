"""`tenancy.check_time_zone`, alone and as the guard of customer."""

import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

CALL = "SELECT tenancy.check_time_zone(p_time_zone => %s)"
KNOWN = ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Europe/Berlin"]
UNKNOWN = ["", "utc+1", "Mars/Olympus", "america/new york", "+05:30", "America/New_York ", None]


@pytest.mark.parametrize("name", KNOWN)
def test_a_name_of_the_iana_database_passes(worker: Database, name: str) -> None:
    worker.execute(CALL, name)


@pytest.mark.parametrize("name", UNKNOWN)
def test_anything_else_is_refused(worker: Database, name: str | None) -> None:
    with refused("PD009"):
        worker.execute(CALL, name)


def test_a_customer_in_no_zone_can_not_be_inserted(worker: Database, portfolio: Portfolio) -> None:
    with refused("PD009"):
        worker.execute(
            "INSERT INTO customer (name, slug, time_zone) VALUES ('X', %s, 'Mars/Olympus')",
            f"mars-{portfolio.slug}",
        )

    assert (
        worker.value("SELECT count(*) FROM customer WHERE slug = %s", f"mars-{portfolio.slug}") == 0
    )


def test_nor_moved_to_none(worker: Database, portfolio: Portfolio) -> None:
    update = "UPDATE customer SET time_zone = %s WHERE id = %s"

    worker.execute(update, "Asia/Tokyo", portfolio.customer_id)
    with refused("PD009"):
        worker.execute(update, "Mars/Olympus", portfolio.customer_id)

    assert (
        worker.value("SELECT time_zone FROM customer WHERE id = %s", portfolio.customer_id)
        == "Asia/Tokyo"
    )


def test_one_bad_row_of_many_refuses_all(worker: Database, portfolio: Portfolio) -> None:
    with refused("PD009"):
        worker.execute(
            "INSERT INTO customer (name, slug, time_zone)"
            " VALUES ('A', %s, 'UTC'), ('B', %s, 'Mars/Olympus')",
            f"a-{portfolio.slug}",
            f"b-{portfolio.slug}",
        )
