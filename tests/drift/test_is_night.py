"""`drift.is_night`: from two to six by the clocks of a place, whatever they do that night."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.database import Database

IS_NIGHT = "SELECT drift.is_night(%s, %s)"


def nightly(owner: Database, zone: str, first: datetime, hours: int) -> list[int]:
    """How many hours from `first` each full hour is that belongs to the night."""
    return [
        hour for hour in range(hours) if owner.value(IS_NIGHT, zone, first + timedelta(hours=hour))
    ]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-06-01 01:59:59.999Z", False),
        ("2026-06-01 02:00Z", True),
        ("2026-06-01 05:59:59.999Z", True),
        ("2026-06-01 06:00Z", False),
        ("2026-06-01 14:00Z", False),
    ],
)
def test_it_lasts_from_two_to_six(owner: Database, at: str, expected: bool) -> None:
    assert owner.value(IS_NIGHT, "UTC", at) is expected


@pytest.mark.parametrize(
    ("zone", "midnight_utc", "expected"),
    [
        ("America/New_York", datetime(2026, 6, 1, 4, tzinfo=UTC), [2, 3, 4, 5]),
        # There is no 02:00 to 03:00.
        ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), [2, 3, 4]),
        # 01:00 to 02:00 comes twice.
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), [3, 4, 5, 6]),
        # 02:00 to 03:00 comes twice.
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), [2, 3, 4, 5, 6]),
        ("Asia/Kolkata", datetime(2026, 5, 31, 18, 30, tzinfo=UTC), [2, 3, 4, 5]),
    ],
)
def test_every_day_has_one(
    owner: Database, zone: str, midnight_utc: datetime, expected: list[int]
) -> None:
    assert nightly(owner, zone, midnight_utc, 23) == expected
