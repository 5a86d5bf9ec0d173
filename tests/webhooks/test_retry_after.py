"""`webhooks.retry_after`: how long a Retry-After header asks to wait."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.database import Database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING = timedelta(0)

HEADERS = [
    # Seconds
    ("0", NOTHING),
    ("5", timedelta(seconds=5)),
    (" 120 ", timedelta(minutes=2)),
    ("007", timedelta(seconds=7)),
    ("86400", DAY),
    ("86401", DAY),
    ("999999999", DAY),
    # RFC 9110 puts no bound on them.
    ("9999999999", DAY),
    ("9" * 1000, DAY),
    # Dates
    ("Mon, 01 Jun 2026 12:00:30 GMT", timedelta(seconds=30)),
    ("Mon, 01 Jun 2026 12:00:00 GMT", NOTHING),
    ("Sun, 31 May 2026 11:00:00 GMT", NOTHING),
    ("Fri, 31 Dec 1999 23:59:59 GMT", NOTHING),
    ("Tue, 02 Jun 2026 12:00:01 GMT", DAY),
    ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
    (" Mon, 01 Jun 2026 13:00:00 GMT", timedelta(hours=1)),
    # Neither
    *(
        (header, None)
        for header in (
            None,
            "",
            " ",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "0x10",
            "5s",
            "5, 5",
            "tomorrow",
            "now",
            "infinity",
            "NaN",
            "epoch",
            "2026-06-01T13:00:00Z",
            "Monday, 01-Jun-26 13:00:00 GMT",
            "Mon Jun  1 13:00:00 2026",
            "Mon, 01 Jun 2026 13:00:00 PST",
            "Mon, 1 Jun 2026 13:00:00 GMT",
            "Mon, 99 Jun 2026 13:00:00 GMT",
            "Mon, 31 Feb 2026 13:00:00 GMT",
            "Mon, 01 Xxx 2026 13:00:00 GMT",
            "Mon, 01 Jun 0000 13:00:00 GMT",
            "Mon, 01 Jun 2026 25:00:00 GMT",
            # Digits and spaces, of other scripts.
            "\u0665",
            "\u0967\u0968",
            "\uff15",
            "\u20035",
            "5\u00a0",
            "Mon, \u0660\u0661 Jun 2026 13:00:00 GMT",
        )
    ),
]


@pytest.mark.parametrize(("header", "wait"), HEADERS)
def test_what_a_header_asks_for(
    owner: Database, header: str | None, wait: timedelta | None
) -> None:
    assert owner.value("SELECT webhooks.retry_after(%s, %s)", header, NOW) == wait


def test_a_time_is_read_alike_wherever_the_session_is(owner: Database) -> None:
    for setting in ("TimeZone TO 'Asia/Tokyo'", "DateStyle TO 'SQL, DMY'"):
        owner.execute(f"SET {setting}")
        try:
            found = owner.value(
                "SELECT webhooks.retry_after('Mon, 01 Jun 2026 12:00:30 GMT', %s)", NOW
            )
        finally:
            owner.execute("RESET ALL")
        assert found == timedelta(seconds=30)
